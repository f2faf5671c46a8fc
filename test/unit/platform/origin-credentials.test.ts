import { describe, expect, test } from 'vitest';
import { originCredentialsSchema } from '../../../shared/platform/origin-credentials.ts';

test('credentials are kept by the origin that they are for', () => {
  const text = JSON.stringify({
    'https://vault.example.com': { token: 'hvs.x' },
    'http://127.0.0.1:8500': { secret: 'whsec_AAAA', token: 't' },
  });
  expect(originCredentialsSchema.parse(text)).toEqual(
    new Map([
      ['https://vault.example.com', { token: 'hvs.x' }],
      ['http://127.0.0.1:8500', { secret: 'whsec_AAAA', token: 't' }],
    ]),
  );
});

describe('what is wrong is told without what is secret', () => {
  test.each([
    ['{"https://a.example": {"token": "top-secret"', 'must be a JSON object of origins'],
    ['"top-secret"', 'expected record'],
    ['{"https://a.example/": {"token": "top-secret"}}', 'must be an origin'],
    ['{"https://a.example/path": {"token": "top-secret"}}', 'must be an origin'],
    ['{"https://A.example": {"token": "top-secret"}}', 'must be an origin'],
    ['{"https://a.example:443": {"token": "top-secret"}}', 'must be an origin'],
    ['{"vault": {"token": "top-secret"}}', 'must be an origin'],
    ['{"https://a.example": "top-secret"}', 'expected object'],
    ['{"https://a.example": {}}', 'must have a token or a secret'],
    ['{"https://a.example": {"token": "top-secret\\n"}}', 'printable ASCII'],
    ['{"https://a.example": {"secret": "top-secret"}}', 'whsec_'],
    ['{"https://a.example": {"token": "t", "user": "top-secret"}}', 'user'],
  ])('%s', (text, message) => {
    const { error } = originCredentialsSchema.safeParse(text);
    const told = JSON.stringify(error?.issues);
    expect(told).toContain(message);
    expect(told).not.toContain('top-secret');
  });
});
