import { expect, it } from 'vitest';
import { TokenAuthority } from '../../../infra/local/identity/token-authority.ts';

const BUS = 'https://servicebus.azure.net';
const NOW = 1_000_000;

it('knows its own tokens, for whom they are meant and until when', () => {
  const authority = new TokenAuthority(60);
  const { token, expiresOn } = authority.issue(`${BUS}/`, NOW);
  expect(expiresOn).toBe(1060);
  expect(authority.check(token, BUS, NOW)).toBe(1_060_000);
  expect(authority.check(token, BUS, 1_060_000)).toBeUndefined();
  expect(authority.check(token, 'https://cosmos.azure.com', NOW)).toBeUndefined();
  expect(new TokenAuthority(60).check(token, BUS, NOW)).toBeUndefined();
  const [head, claims, signature] = token.split('.');
  const forged = Buffer.from(JSON.stringify({ aud: BUS, exp: 2 ** 40 })).toString('base64url');
  for (const text of ['', 'a.b.c', `${head}.${forged}.${signature}`, `${head}.${claims}.`, `${token}.x`]) {
    expect(authority.check(text, BUS, NOW), text).toBeUndefined();
  }
});
