import { randomBytes } from 'node:crypto';
import { CosmosClient, type CosmosClientOptions, type Plugin } from '@azure/cosmos';
import { expect, it, vi } from 'vitest';
import { signWithKey } from '../../../shared/platform/cosmos-signature.ts';

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
  vi.useRealTimers();
});
