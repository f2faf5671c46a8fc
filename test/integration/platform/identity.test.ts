import { afterAll, beforeAll, expect, test } from 'vitest';
import { azureCredential } from '../../../shared/platform/identity.ts';
import { type FakeIdentity, fakeIdentity } from './fake-identity.ts';

const SCOPE = 'https://vault.azure.net/.default';

let identity: FakeIdentity;

beforeAll(async () => {
  identity = await fakeIdentity();
});

afterAll(() => identity?.stop());

test('the managed identity that is meant is asked for a token once', async () => {
  const credential = azureCredential({ clientId: '5c5f8a0e-0000-4000-8000-000000000001' });
  const tokens = [await credential.getToken(SCOPE), await credential.getToken(SCOPE)];
  expect(tokens.map((token) => token?.token)).toEqual(Array(2).fill('token-for https://vault.azure.net'));
  expect(identity.asked).toEqual([
    { resource: 'https://vault.azure.net', clientId: '5c5f8a0e-0000-4000-8000-000000000001' },
  ]);
});

test('without a client id the identity of the app itself is meant, and its refusal passes', async () => {
  const credential = azureCredential();
  identity.status = 400;
  await expect(credential.getToken(SCOPE)).rejects.toMatchObject({
    kind: 'unavailable',
    fix: expect.stringContaining('managed identity'),
  });
  identity.status = 200;
  expect((await credential.getToken(SCOPE))?.token).toBe('token-for https://vault.azure.net');
  expect(identity.asked.at(-1)?.clientId).toBe(null);
});
