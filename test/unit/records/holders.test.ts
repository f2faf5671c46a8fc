import { expect, it } from 'vitest';
import { Holders } from '../../../shared/records/watch/holders.ts';

it('nobody holds more than they may, whatever others hold, and what is given back is there again', () => {
  const holders = new Holders(2);
  const giveBack = holders.take('a');
  holders.take('a');
  holders.take('b');
  expect(() => holders.take('a')).toThrow(
    expect.objectContaining({
      kind: 'too-many-requests',
      retryAfterSeconds: 5,
      headers: {
        'RateLimit-Policy': '"watches";q=2;qu="concurrent-requests"',
        RateLimit: '"watches";r=0',
      },
    }),
  );
  giveBack();
  holders.take('a');
  expect(() => holders.take('a')).toThrow();
});
