import { expect, test } from 'vitest';
import { Sealer } from '../../../shared/platform/sealer.ts';
import { checkHeaders, sealHeaders } from '../../../shared/webhooks/subscription/own-headers.ts';

test.each([
  ['authorization', 'Bearer abc'],
  ['Authorization', 'Basic dXNlcjpwYXNz'],
  ['api-key', 'k'],
  ['Ocp-Apim-Subscription-Key', 'k'],
  ['x-api-key', 'k'],
  ['x-functions-key', 'k=='],
  ['X-Team', 'a b\tc'],
])('%s may be set', (name, value) => {
  expect(checkHeaders({ [name]: value })).toEqual({ [name.toLowerCase()]: value });
});

test.each([
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-type',
  'content-length',
  'content-encoding',
  'expect',
  'user-agent',
  'webhook-id',
  'Webhook-Signature',
  'WebHook-Request-Origin',
  'ce-id',
  'traceparent',
  'cookie',
  'set-cookie',
  'proxy-authorization',
  'forwarded',
  'via',
  'origin',
  'metadata',
  'x-ms-version',
  'X-Forwarded-For',
  'x-original-url',
  'x-rewrite-url',
  'x-http-method-override',
  'x-real-ip',
  'x-skerry-revision',
  'x-a b',
  'x-a:b',
  'x-a\nb',
  'x-å',
  'x-',
  '',
  '__proto__',
])('%j may not be set', (name) => {
  const headers = Object.fromEntries([[name, 'secret value']]);
  expect(() => checkHeaders(headers)).toThrow(
    expect.objectContaining({ kind: 'invalid', field: expect.stringMatching(/^headers/) }),
  );
});

test.each(['', ' a', 'a ', 'a\nb', 'a\r\nx: y', 'a\0b', 'blå', '\t', 'a\u007f'])(
  'the value %j is refused, and not quoted',
  (value) => {
    expect(() => checkHeaders({ 'x-a': value })).toThrow(expect.objectContaining({ field: 'headers.x-a' }));
    expect(() => checkHeaders({ 'x-a': `top-secret${value}` })).not.toThrow(/top-secret/);
  },
);

test('there are limits to their number and length, and each is given once', () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, nth) => [`x-${nth}`, 'v']));
  expect(() => checkHeaders(many(20))).not.toThrow();
  expect(() => checkHeaders(many(21))).toThrow(/more than 20/);
  expect(() => checkHeaders({ 'x-a': 'v'.repeat(4_093) })).not.toThrow();
  expect(() => checkHeaders({ 'x-a': 'v'.repeat(4_094) })).toThrow(/4096 bytes/);
  expect(() => checkHeaders({ 'X-A': '1', 'x-a': '1' })).toThrow(/twice/);
});

test('sealed headers show their names alone, and stay as they are until they say something else', () => {
  const sealer = new Sealer([Buffer.alloc(32, 1)]);
  const place = ['ns', 'sub', 'headers'];
  const headers = checkHeaders({ 'X-B': 'secret', authorization: 'hidden' });
  const sealed = sealHeaders(headers, undefined, sealer, place);
  expect(sealed?.names).toEqual(['authorization', 'x-b']);
  expect(JSON.stringify(sealed)).not.toMatch(/secret|hidden/);
  expect(sealHeaders(headers, sealed, sealer, place)).toBe(sealed);
  expect(sealHeaders({ ...headers, 'x-b': 'other' }, sealed, sealer, place)).not.toEqual(sealed);
  expect(sealHeaders({}, sealed, sealer, place)).toBeUndefined();
  const keyIsLost = new Sealer([Buffer.alloc(32, 2)]);
  const again = sealHeaders(headers, sealed, keyIsLost, place);
  expect(JSON.parse(keyIsLost.open(again?.sealed ?? '', place))).toEqual(headers);
});

test('they are sealed by the newest key when they are given again, and else stay as they are', () => {
  const [old, newer] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const place = ['ns', 'sub', 'headers'];
  const headers = checkHeaders({ 'x-b': 'secret' });
  const known = sealHeaders(headers, undefined, new Sealer([old]), place);
  const both = new Sealer([newer, old]);
  const again = sealHeaders(headers, known, both, place);
  expect(JSON.parse(new Sealer([newer]).open(again?.sealed ?? '', place))).toEqual(headers);
  expect(sealHeaders(headers, again, both, place)).toBe(again);
});
