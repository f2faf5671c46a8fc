import { expect, it } from 'vitest';
import { WatchPlaces } from '../../../shared/records/watch/watch-places.ts';

it('nobody holds more than they may, whatever others hold, and what is given back is there again', () => {
  const places = new WatchPlaces({ maxHeld: 10, maxHeldByOne: 2 });
  const place = places.take('a');
  places.take('a');
  places.take('b');
  expect(() => places.take('a')).toThrow(
    expect.objectContaining({
      kind: 'too-many-requests',
      retryAfterSeconds: 5,
      headers: {
        'RateLimit-Policy': '"watches";q=2;qu="concurrent-requests"',
        RateLimit: '"watches";r=0',
      },
    }),
  );
  expect(places.taken).toBe(3);
  place.release();
  place.release();
  places.take('a');
  expect(() => places.take('a')).toThrow();
});

it('all together hold no more than the process may', () => {
  const places = new WatchPlaces({ maxHeld: 2, maxHeldByOne: 2 });
  const place = places.take('a');
  places.take();
  expect(() => places.take('b')).toThrow(expect.objectContaining({ kind: 'too-many-requests' }));
  place.release();
  places.take('b');
});
