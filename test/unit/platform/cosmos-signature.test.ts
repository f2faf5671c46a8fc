import { randomBytes } from 'node:crypto';
import { CosmosClient, type CosmosClientOptions, type Plugin } from '@azure/cosmos';
import { afterEach, expect, it, vi } from 'vitest';
import { signWithKey, signWithToken } from '../../../shared/platform/cosmos-signature.ts';

// Also after a failure: the files that follow run in the same process.
afterEach(() => void vi.useRealTimers());

/** What a client asks for, by how it is authorized; nothing is sent. */
async function authorizations(access: Partial<CosmosClientOptions>): Promise<unknown[]> {
  const seen: unknown[] = [];
  const plugin: Plugin<unknown> = async ({ headers }) => {
    seen.push(headers?.authorization, headers?.['x-ms-date']);
    return { result: { id: 'it' }, headers: {}, code: 200 };
  };
  const options = { endpoint: 'http://127.0.0.1:9', ...access, plugins: [{ on: 'request', plugin }] };
  const client = new CosmosClient(options as CosmosClientOptions);
  const container = client.database('db').container('Box');
  await client.getDatabaseAccount();
  await container.item('a b', 'part').read();
  await container.items.create({ id: 'a b' });
  client.dispose();
  return seen;
}

it('signs as the SDK does with the key itself', async () => {
  vi.useFakeTimers({ now: Date.parse('2030-01-02T03:04:05Z'), toFake: ['Date'] });
  const key = randomBytes(64).toString('base64');
  const own = await authorizations({ key });
  expect(own.length).toBeGreaterThan(6);
  expect(own.every((value) => typeof value === 'string')).toBe(true);
  expect(await authorizations({ tokenProvider: signWithKey(key) })).toEqual(own);
});

it('sends tokens of an identity, and has a new one before the old one ends', async () => {
  vi.useFakeTimers({ now: 0, toFake: ['Date'] });
  let given = 0;
  let isAway = false;
  const sign = signWithToken({
    async getToken() {
      if (isAway) throw new Error('away');
      given += 1;
      return { token: `t${given}`, expiresOnTimestamp: Date.now() + 3_600_000 };
    },
  });
  const options = { endpoint: 'http://127.0.0.1:9', tokenProvider: sign };
  const [header] = await authorizations(options);
  expect(decodeURIComponent(String(header))).toBe('type=aad&ver=1.0&sig=t1');
  const ask = async () => /sig=(.*)/.exec(await sign(undefined as never))?.[1];
  expect(await Promise.all([ask(), ask()])).toEqual(['t1', 't1']);

  // It is replaced while requests go on with it, for as long as that takes.
  isAway = true;
  vi.setSystemTime(3_400_000);
  expect([await ask(), await ask()]).toEqual(['t1', 't1']);
  vi.setSystemTime(3_590_000);
  await expect(ask()).rejects.toThrow('away');
  isAway = false;
  expect(await ask()).toBe('t2');
  vi.setSystemTime(3_590_000 + 3_400_000);
  expect(await ask()).toBe('t2');
  await vi.waitFor(async () => expect(await ask()).toBe('t3'), { timeout: 45_000 });
  expect(given).toBe(3);
});
