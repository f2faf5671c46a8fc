import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChangeFeedStartFrom, type Container, CosmosClient } from '@azure/cosmos';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CosmosServer, startCosmosServer } from '../../../infra/local/cosmos/server.ts';
import { indexOnly, isEmulator } from './account.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cosmos-durability-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

async function createContainer(client: CosmosClient, defaultTtl?: number): Promise<void> {
  const { database } = await client.databases.create({ id: 'd' });
  await database.containers.create({
    id: 'c',
    partitionKey: { paths: ['/scope'] },
    indexingPolicy: indexOnly('/type/?', '/revision/?'),
    ...(defaultTtl === undefined ? {} : { defaultTtl }),
  });
}

describe.runIf(isEmulator)('after a restart', () => {
  async function withServer<T>(use: (container: Container, server: CosmosServer) => Promise<T>): Promise<T> {
    const server = await startCosmosServer({ port: 0, dataFolder: folder });
    const client = new CosmosClient(server.connectionString);
    try {
      if ((await client.databases.readAll().fetchAll()).resources.length === 0)
        await createContainer(client, -1);
      return await use(client.database('d').container('c'), server);
    } finally {
      client.dispose();
      await server.stop();
    }
  }

  it('containers, rids, items and etags are the same', async () => {
    const before = await withServer(async (container) => {
      await container.items.create({ id: 'a', scope: 's', value: 1 });
      return {
        rid: (await container.read()).resource?._rid,
        item: (await container.item('a', 's').read()).resource,
      };
    });
    await withServer(async (container) => {
      expect((await container.read()).resource?._rid).toBe(before.rid);
      expect((await container.item('a', 's').read()).resource).toEqual(before.item);
    });
  });

  it('feed and query continuations go on where they stood', async () => {
    const query = 'SELECT VALUE c.id FROM c ORDER BY c.revision';
    const tokens = await withServer(async (container) => {
      const bodies = ['a', 'b', 'c'].map((id, revision) => ({ id, scope: 's', type: 'change', revision }));
      for (const body of bodies) await container.items.create(body);
      const changeFeedStartFrom = ChangeFeedStartFrom.Beginning();
      const feed = container.items.getChangeFeedIterator({ changeFeedStartFrom, maxItemCount: 1 });
      const page = await container.items.query(query, { partitionKey: 's', maxItemCount: 1 }).fetchNext();
      return { feed: (await feed.readNext()).continuationToken, query: page.continuationToken };
    });
    await withServer(async (container) => {
      const changeFeedStartFrom = ChangeFeedStartFrom.Continuation(tokens.feed);
      const feed = container.items.getChangeFeedIterator<{ id: string }>({ changeFeedStartFrom });
      expect((await feed.readNext()).result.map(({ id }) => id)).toEqual(['b', 'c']);
      const options = { partitionKey: 's', continuationToken: tokens.query };
      expect((await container.items.query(query, options).fetchNext()).resources).toEqual(['b', 'c']);
    });
  });

  it('sequence numbers go on, also when everything was deleted', async () => {
    const lsnOf = (headers: { [name: string]: unknown }) => Number(headers.lsn);
    const before = await withServer(async (container) => {
      await container.items.create({ id: 'a', scope: 's' });
      return lsnOf((await container.item('a', 's').delete()).headers);
    });
    const after = await withServer(async (container) =>
      lsnOf((await container.items.create({ id: 'b', scope: 's' })).headers),
    );
    expect(after).toBe(before + 1);
  });

  it('a temporary folder is removed by stop', async () => {
    const server = await startCosmosServer({ port: 0 });
    await server.stop();
    await expect(fetch(server.endpoint)).rejects.toThrow();
  });
});
