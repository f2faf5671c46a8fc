import { createHmac } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { Claims } from '../../../infra/local/servicebus/amqp/claims.ts';

const KEY = { name: 'name', key: 'secret' };
const TYPE = 'servicebus.windows.net:sastoken';
const NOW = 1_700_000_000_000;

function sign(resource: string, expiry = NOW / 1000 + 60, { name, key } = KEY): string {
  const sr = encodeURIComponent(resource);
  const signature = createHmac('sha256', key).update(`${sr}\n${expiry}`).digest('base64');
  return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=${name}`;
}

describe('claims', () => {
  let now = NOW;
  let claims: Claims;
  beforeEach(() => {
    now = NOW;
    claims = new Claims(KEY, () => now);
  });

  it('allow the paths that the token names, until it ends', () => {
    claims.put(sign('sb://localhost:5672/Orders'), TYPE, 'sb://127.0.0.1:5672/orders/$management');
    claims.require('orders/$management');
    expect(() => claims.require('orders')).toThrow('Unauthorized');
    claims.put(sign('sb://localhost/'), TYPE, 'sb://localhost/orders');
    claims.require('Orders');
    claims.require('orders/$DeadLetterQueue');
    expect(() => claims.require('orders-2')).toThrow('Unauthorized');
    now += 60_000;
    expect(() => claims.require('orders')).toThrow('Unauthorized');
  });

  it.each([
    ['a wrong key', sign('sb://x/q', undefined, { ...KEY, key: 'guess' })],
    ['an unknown key name', sign('sb://x/q', undefined, { ...KEY, name: 'other' })],
    ['a token that has ended', sign('sb://x/q', NOW / 1000)],
    ['a token for something else', sign('sb://x/other')],
    ['an expiry that was changed', sign('sb://x/q').replace(/se=\d+/, 'se=9999999999')],
    ['an expiry that is no number', sign('sb://x/q', Number.NaN)],
    ['a broken escape', sign('sb://x/q').replace('sig=', 'sig=%')],
    ['something else', 'Bearer token'],
  ])('refuse %s', (_, token) => {
    expect(() => claims.put(token, TYPE, 'sb://x/q')).toThrowError(
      expect.objectContaining({ condition: 'amqp:unauthorized-access' }),
    );
  });

  it('refuse tokens of another type', () => {
    expect(() => claims.put(sign('sb://x/q'), 'jwt', 'sb://x/q')).toThrow('shared access signatures');
  });
});
