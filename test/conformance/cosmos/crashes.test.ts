import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ChangeFeedStartFrom, type Container, CosmosClient } from '@azure/cosmos';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { indexOnly, isEmulator } from './account.ts';

const CRASHES = process.env.SKERRY_TEST_LONG === undefined ? 2 : 300;
const SEED = 20_251_125;
const WRITERS = 6;
/** Each check reads whole scopes, so they must not grow for ever. */
const ROUNDS_OF_A_SCOPE = 15;
const PARTITIONS = '2';

interface Kept {
  readonly id: string;
  readonly scope: string;
  readonly _etag: string;
  readonly _lsn?: number;
  readonly revision: number;
}

/** What a writer was told of its scope: the newest revision, and the etag of each item that must be there. */
interface Acknowledged {
  revision: number;
  readonly etags: Map<string, string>;
  /** What was under way when the connection broke: it may stand or not, but not in part. */
  pending: { readonly kind: 'append' } | { readonly kind: 'delete'; readonly id: string } | undefined;
}

let folder: string;
let child: ChildProcess;
let client: CosmosClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cosmos-crashes-'));
});
afterAll(async () => {
  client?.dispose();
  child?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

function newScopes(round: number): Map<string, Acknowledged> {
  const scopes = Array.from({ length: WRITERS }, (_, writer) => `scope-${round}-${writer}`);
  return new Map(scopes.map((scope) => [scope, { revision: 0, etags: new Map(), pending: undefined }]));
}

async function startServer(): Promise<Container> {
  client?.dispose();
  child = fork(join(import.meta.dirname, 'server-process.ts'), [folder, PARTITIONS]);
  const [connectionString] = await once(child, 'message');
  client = new CosmosClient(String(connectionString));
  const { database } = await client.databases.createIfNotExists({ id: 'd' });
  const { container } = await database.containers.createIfNotExists({
    id: 'c',
    partitionKey: { paths: ['/scope'] },
    indexingPolicy: indexOnly('/type/?', '/revision/?'),
  });
  return container;
}

/** Appends revisions, each a batch of three, and deletes every third one's record, until the connection breaks. */
async function write(
  container: Container,
  scope: string,
  known: Acknowledged,
  onWrite: () => void,
): Promise<void> {
  try {
    for (;;) {
      const revision = known.revision + 1;
      const bodies = [
        { id: `c:${revision}`, scope, type: 'change', revision },
        { id: `r:${revision}`, scope, type: 'record', revision },
        { id: 'head', scope, type: 'head', revision },
      ];
      known.pending = { kind: 'append' };
      const { code, result = [] } = await container.items.batch(
        bodies.map((resourceBody) => ({ operationType: 'Upsert' as const, resourceBody })),
        scope,
      );
      if (code !== 200) throw new Error(`The batch answered ${code}.`);
      known.revision = revision;
      for (const [number, { id }] of bodies.entries()) known.etags.set(id, result[number]?.eTag ?? '');
      known.pending = undefined;
      onWrite();
      if (revision % 3 !== 0) continue;
      const id = `r:${revision}`;
      known.pending = { kind: 'delete', id };
      await container.item(id, scope).delete();
      known.etags.delete(id);
      known.pending = undefined;
      onWrite();
    }
  } catch {
    // The server was killed; `pending` says what was under way.
  }
}

async function feedOf(
  container: Container,
  start: ChangeFeedStartFrom,
): Promise<{ items: Kept[]; token: string }> {
  const feed = container.items.getChangeFeedIterator<Kept>({ changeFeedStartFrom: start, maxItemCount: 500 });
  const items: Kept[] = [];
  for (;;) {
    const page = await feed.readNext();
    if (page.statusCode === 304) return { items, token: page.continuationToken };
    items.push(...page.result);
  }
}

/** Compares what stands in a scope with what was acknowledged; answers what is known of it from now on. */
async function checkScope(container: Container, scope: string, known: Acknowledged): Promise<Acknowledged> {
  const items = (await container.items.readAll<Kept>({ partitionKey: scope, maxItemCount: -1 }).fetchAll())
    .resources;
  const there = new Map(items.map((item) => [item.id, item]));
  const newest = there.get('head')?.revision ?? 0;
  const { pending } = known;
  const isAppended = newest === known.revision + 1;
  expect([known.revision, known.revision + (pending?.kind === 'append' ? 1 : 0)]).toContain(newest);

  const expected = new Set(known.etags.keys());
  if (isAppended) for (const id of [`c:${newest}`, `r:${newest}`, 'head']) expected.add(id);
  if (pending?.kind === 'delete' && !there.has(pending.id)) expected.delete(pending.id);
  expect([...there.keys()].toSorted()).toEqual([...expected].toSorted());
  for (const [id, etag] of known.etags) {
    const isReplaced = id === 'head' && isAppended;
    if (there.has(id) && !isReplaced) expect(there.get(id)?._etag).toBe(etag);
  }

  const query = {
    query: 'SELECT VALUE c.revision FROM c WHERE c.type = @type ORDER BY c.revision',
    parameters: [{ name: '@type', value: 'change' }],
  };
  const options = { partitionKey: scope, maxItemCount: -1 };
  const changes = (await container.items.query<number>(query, options).fetchAll()).resources;
  expect(changes).toEqual(Array.from({ length: newest }, (_, number) => number + 1));

  const { items: fed } = await feedOf(container, ChangeFeedStartFrom.Beginning(scope));
  expect(fed.map(({ id, _etag }) => [id, _etag]).toSorted()).toEqual(
    items.map(({ id, _etag }) => [id, _etag]).toSorted(),
  );
  const positions = fed.filter(({ id }) => id.startsWith('c:')).map(({ _lsn = 0 }) => _lsn);
  expect(positions).toEqual([...new Set(positions)].toSorted((one, other) => one - other));
  for (const { id, revision, _lsn } of fed) {
    if (id.startsWith('r:')) expect(_lsn).toBe(fed.find((other) => other.id === `c:${revision}`)?._lsn);
  }
  return { revision: newest, etags: new Map(items.map(({ id, _etag }) => [id, _etag])), pending: undefined };
}

describe.runIf(isEmulator)('after kill -9 under load', () => {
  const moments = fc.sample(fc.tuple(fc.integer({ min: 20, max: 300 }), fc.integer({ min: 0, max: 12 })), {
    seed: SEED,
    numRuns: CRASHES,
  });

  it(
    `${CRASHES} times (seed ${SEED}): what was acknowledged is there with its etag, batches are whole, feeds and sequence numbers go on`,
    async () => {
      let known = new Map<string, Acknowledged>();
      let container = await startServer();
      let token = (await feedOf(container, ChangeFeedStartFrom.Beginning())).token;
      for (const [round, [killAfter, pause]] of moments.entries()) {
        if (round % ROUNDS_OF_A_SCOPE === 0) known = newScopes(round);
        const before = new Map([...known].map(([scope, { revision }]) => [scope, revision]));
        const exited = once(child, 'exit');
        let writes = 0;
        const onWrite = () => {
          writes += 1;
          if (writes === killAfter) void delay(pause).then(() => child.kill('SIGKILL'));
        };
        await Promise.all([...known].map(([scope, state]) => write(container, scope, state, onWrite)));
        await exited;
        container = await startServer();
        for (const [scope, state] of known) known.set(scope, await checkScope(container, scope, state));

        const { items: news, token: next } = await feedOf(container, ChangeFeedStartFrom.Continuation(token));
        const told = news
          .filter(({ id }) => id.startsWith('c:'))
          .map(({ scope, revision }) => `${scope}:${revision}`);
        const written = [...known].flatMap(([scope, { revision }]) => {
          const first = before.get(scope) ?? 0;
          return Array.from({ length: revision - first }, (_, number) => `${scope}:${first + number + 1}`);
        });
        expect(told.toSorted()).toEqual(written.toSorted());
        token = next;
      }
    },
    60_000 + CRASHES * 5000,
  );
});
