import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChangeFeedStartFrom, type Container, CosmosClient } from '@azure/cosmos';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CosmosServer, startCosmosServer } from '../../../infra/local/cosmos/server.ts';
import { batchOf, indexOnly, isEmulator } from './account.ts';

/** `npm run test:long` raises it. */
const CRASHES = Number(process.env.CRASH_ROUNDS ?? 4);
const WRITERS = 6;

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

describe.runIf(isEmulator)('after kill -9 under load', () => {
  async function startProcess(): Promise<{ child: ChildProcess; connectionString: string }> {
    const child = fork(join(import.meta.dirname, 'server-process.ts'), [folder]);
    const [connectionString] = await once(child, 'message');
    return { child, connectionString: String(connectionString) };
  }

  /** Appends changes to one scope until the connection breaks; answers the last revision that was acknowledged. */
  async function appendUntilKilled(
    container: Container,
    scope: string,
    revision: number,
    onWrite: () => void,
  ) {
    let acknowledged = revision;
    for (;;) {
      const next = acknowledged + 1;
      try {
        const change = { id: `c:${next}`, scope, type: 'change', revision: next };
        const record = { id: `r:${next}`, scope, type: 'record', revision: next };
        const { code } = await container.items.batch(batchOf(change, record), scope);
        if (code !== 200) throw new Error(`The batch answered ${code}.`);
      } catch {
        return acknowledged;
      }
      acknowledged = next;
      onWrite();
    }
  }

  /** What stands in a scope: revisions of changes and of records, and what the feed tells. */
  async function readScope(container: Container, scope: string) {
    const query = (type: string) =>
      container.items.query<number>(
        {
          query: 'SELECT VALUE c.revision FROM c WHERE c.type = @type ORDER BY c.revision',
          parameters: [{ name: '@type', value: type }],
        },
        { partitionKey: scope, maxItemCount: -1 },
      );
    const feed = container.items.getChangeFeedIterator({
      changeFeedStartFrom: ChangeFeedStartFrom.Beginning(scope),
      maxItemCount: 100_000,
    });
    return {
      changes: (await query('change').fetchAll()).resources,
      records: (await query('record').fetchAll()).resources,
      fed: (await feed.readNext()).count,
    };
  }

  it(
    `${CRASHES} times: every acknowledged batch is there, whole, and no other is there in part`,
    async () => {
      const last = new Map<string, number>();
      let { child, connectionString } = await startProcess();
      let client = new CosmosClient(connectionString);
      await createContainer(client);
      for (let round = 0; round < CRASHES; round++) {
        const container = client.database('d').container('c');
        const killAfter = 20 + ((round * 7919) % 300);
        let writes = 0;
        const onWrite = () => {
          writes += 1;
          if (writes === killAfter) child.kill('SIGKILL');
        };
        const scopes = Array.from({ length: WRITERS }, (_, number) => `scope-${number}`);
        const exited = once(child, 'exit');
        const acknowledged = await Promise.all(
          scopes.map((scope) => appendUntilKilled(container, scope, last.get(scope) ?? 0, onWrite)),
        );
        await exited;
        client.dispose();
        ({ child, connectionString } = await startProcess());
        client = new CosmosClient(connectionString);
        for (const [number, scope] of scopes.entries()) {
          const { changes, records, fed } = await readScope(client.database('d').container('c'), scope);
          const newest = changes.length;
          expect(changes).toEqual(Array.from({ length: newest }, (_, index) => index + 1));
          expect(records).toEqual(changes);
          expect(fed).toBe(2 * newest);
          expect([0, 1]).toContain(newest - (acknowledged[number] ?? 0));
          last.set(scope, newest);
        }
      }
      client.dispose();
      child.kill('SIGKILL');
    },
    60_000 + CRASHES * 5000,
  );
});
