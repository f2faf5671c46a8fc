import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  ChangeFeedStartFrom,
  type Container,
  CosmosClient,
  type FeedOptions,
  type SqlQuerySpec,
} from '@azure/cosmos';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCosmosServer } from '../../../infra/local/cosmos/server.ts';
import {
  batchOf,
  indexOnly,
  isEmulator,
  openAccount,
  postItems,
  refusal,
  type TestAccount,
} from './account.ts';

const SCOPES = Array.from({ length: 12 }, (_, number) => `scope-${number}`);
const PER_SCOPE = 5;

interface Item {
  id: string;
  scope: string;
  rank: number;
  kind: string;
}

/** Ranks are met twice each, kinds often, in other orders than the partitions are in. */
const ITEMS: Item[] = SCOPES.flatMap((scope, at) =>
  Array.from({ length: PER_SCOPE }, (_, number) => {
    const place = number * SCOPES.length + at;
    return { id: `i${place}`, scope, rank: (place * 7) % 30, kind: `g${(place * 11) % 4}` };
  }),
);

let account: TestAccount;
let container: Container;

beforeAll(async () => {
  account = await openAccount({ partitions: 4 });
  const composite = [
    { path: '/kind', order: 'ascending' as const },
    { path: '/rank', order: 'descending' as const },
  ];
  container = await account.container({
    indexingPolicy: { ...indexOnly('/rank/?', '/kind/?'), compositeIndexes: [composite] },
  });
  for (const scope of SCOPES) {
    const bodies = ITEMS.filter((item) => item.scope === scope);
    await container.items.batch(batchOf(...bodies.map((body) => ({ ...body }))), scope);
  }
});
afterAll(async () => account.close());

async function ask<T = Item>(query: string | SqlQuerySpec, options: FeedOptions = {}): Promise<T[]> {
  return (await container.items.query<T>(query, options).fetchAll()).resources;
}

const ids = (items: readonly { id: string }[]) => items.map(({ id }) => id);
const numbers = (count: number) => Array.from({ length: count }, (_, number) => number);

describe('a container of several physical partitions', () => {
  it('names them, and the feed ranges cover the space of keys', async ({ skip }) => {
    skip(!isEmulator, 'the service decides how many there are');
    const { resources } = await container.readPartitionKeyRanges().fetchAll();
    expect(resources.map(({ id }) => id)).toEqual(['0', '1', '2', '3']);
    const ranges = await container.getFeedRanges();
    expect(ranges[0]?.minInclusive).toBe('');
    expect(ranges.at(-1)?.maxExclusive).toBe('FF');
    for (const [number, range] of ranges.slice(1).entries()) {
      expect(range.minInclusive).toBe(ranges[number]?.maxExclusive);
    }
  });

  it('a physical partition that is not there is 410/1002', async () => {
    const headers = {
      'x-ms-documentdb-isquery': 'true',
      'content-type': 'application/query+json',
      'x-ms-documentdb-partitionkeyrangeid': '77',
    };
    const { status, subStatus } = await postItems(account, container, headers, { query: 'SELECT * FROM c' });
    expect([status, subStatus]).toEqual([410, 1002]);
  });

  it('keeps its number over a restart with another one', async ({ skip }) => {
    skip(!isEmulator, 'the service is not started');
    const dataFolder = await mkdtemp(path.join(tmpdir(), 'cosmos-partitions-'));
    const countRanges = async (partitions: number) => {
      const server = await startCosmosServer({ port: 0, dataFolder, partitions });
      const client = new CosmosClient(server.connectionString);
      const { database } = await client.databases.createIfNotExists({ id: 'd' });
      const { container: old } = await database.containers.createIfNotExists({ id: 'old' });
      const { container: fresh } = await database.containers.create({ id: `made-with-${partitions}` });
      const counts = [(await old.getFeedRanges()).length, (await fresh.getFeedRanges()).length];
      client.dispose();
      await server.stop();
      return counts;
    };
    expect(await countRanges(3)).toEqual([3, 3]);
    expect(await countRanges(5)).toEqual([3, 5]);
    await rm(dataFolder, { recursive: true, force: true });
  });

  it('counts changes in each: session tokens name the partition that answered', async ({ skip }) => {
    skip(!isEmulator, 'the service decides how many there are');
    const tokens = new Map<string, Set<string>>();
    for (const scope of SCOPES) {
      const { headers } = await container.item('nothing', scope).read();
      const [range = '', lsn = ''] = String(headers['x-ms-session-token']).split(':');
      tokens.set(range, (tokens.get(range) ?? new Set()).add(lsn));
    }
    expect(tokens.size).toBeGreaterThan(1);
    for (const seen of tokens.values()) expect(seen.size).toBe(1);
  });

  it('resource ids are unique over all of them', async () => {
    const rids = await ask<string>('SELECT VALUE c._rid FROM c');
    expect(new Set(rids).size).toBe(ITEMS.length);
  });
});

describe('queries over several physical partitions', () => {
  it('a filter is answered, one partition after the other, and pages never mix them', async ({ skip }) => {
    skip(!isEmulator, 'the service decides where a scope lives');
    const rangeOfScope = new Map<string, string>();
    for (const scope of SCOPES) {
      const { headers } = await container.item('nothing', scope).read();
      rangeOfScope.set(scope, String(headers['x-ms-session-token']).split(':')[0] ?? '');
    }
    const pages: Item[][] = [];
    const iterator = container.items.query<Item>('SELECT * FROM c WHERE c.rank >= 0', { maxItemCount: 7 });
    while (iterator.hasMoreResults()) pages.push((await iterator.fetchNext()).resources);
    expect(ids(pages.flat()).toSorted()).toEqual(ids(ITEMS).toSorted());
    for (const page of pages) {
      expect(new Set(page.map(({ scope }) => rangeOfScope.get(scope))).size).toBeLessThanOrEqual(1);
      expect(page.length).toBeLessThanOrEqual(7);
    }
  });

  it('no order across partitions is promised: without ORDER BY items come neither as written nor by scope', async ({
    skip,
  }) => {
    skip(!isEmulator, 'with one physical partition the service happens to keep the order');
    const items = await ask('SELECT * FROM c');
    expect(ids(items)).not.toEqual(ids(ITEMS));
    const scopes = items.map(({ scope }) => scope);
    expect(scopes).not.toEqual(scopes.toSorted());
  });

  it.each([
    'SELECT * FROM c ORDER BY c.rank',
    'SELECT TOP 2 * FROM c',
    'SELECT * FROM c OFFSET 1 LIMIT 2',
    'SELECT VALUE COUNT(1) FROM c',
  ])('%s is 400/1004 with a plan when no partition is named', async (query) => {
    const headers = {
      'x-ms-documentdb-isquery': 'true',
      'content-type': 'application/query+json',
      'x-ms-documentdb-query-enablecrosspartition': 'true',
    };
    const { status, subStatus, body } = await postItems(account, container, headers, { query });
    expect([status, subStatus, body.code]).toEqual([400, 1004, 'BadRequest']);
    expect(JSON.parse(String(body.additionalErrorInfo))).toMatchObject({
      partitionedQueryExecutionInfoVersion: 2,
      queryRanges: [{ min: '', max: 'FF' }],
    });
  });

  it('a query over all partitions must say that it is one', async () => {
    const headers = { 'x-ms-documentdb-isquery': 'true', 'content-type': 'application/query+json' };
    const { status, body } = await postItems(account, container, headers, { query: 'SELECT * FROM c' });
    expect(status).toBe(400);
    expect(body.message).toContain('Cross partition query is required but disabled');
  });

  it('a filter that names the partition key is answered by its partition alone, whatever the query', async () => {
    const query = "SELECT TOP 2 VALUE c.rank FROM c WHERE c.scope = 'scope-3' ORDER BY c.rank DESC";
    const expected = ITEMS.filter(({ scope }) => scope === 'scope-3').map(({ rank }) => rank);
    const descending = expected.toSorted((one, other) => other - one).slice(0, 2);
    expect(await ask(query)).toEqual(descending);
    expect(await ask(query, { forceQueryPlan: true })).toEqual(descending);
  });

  it('ORDER BY, with all that may stand around it', async () => {
    const byRank = ITEMS.map(({ rank }) => rank).toSorted((one, other) => one - other);
    expect(await ask('SELECT VALUE c.rank FROM c ORDER BY c.rank')).toEqual(byRank);
    expect(await ask('SELECT VALUE r.rank FROM root r ORDER BY r.rank DESC')).toEqual(byRank.toReversed());
    expect(await ask('SELECT TOP 5 c.rank AS r FROM c ORDER BY c.rank')).toEqual(
      byRank.slice(0, 5).map((rank) => ({ r: rank })),
    );
    expect(await ask('SELECT VALUE c.rank FROM c ORDER BY c.rank OFFSET 7 LIMIT 9')).toEqual(
      byRank.slice(7, 16),
    );
    const parameters = [
      { name: '@top', value: 3 },
      { name: '@least', value: 10 },
    ];
    const query = 'SELECT TOP @top * FROM c WHERE c.rank >= @least OR c.rank = -1 ORDER BY c.rank ASC';
    const best = await ask({ query, parameters });
    expect(best.map(({ rank }) => rank)).toEqual([10, 10, 11]);
    expect(best[0]).toMatchObject({ _etag: expect.any(String) });
    const composite = await ask('SELECT * FROM c ORDER BY c.kind, c.rank DESC');
    expect(composite.map(({ kind, rank }) => [kind, rank])).toEqual(
      ITEMS.map(({ kind, rank }) => [kind, rank] as const).toSorted(
        ([oneKind, oneRank], [kind, rank]) => oneKind.localeCompare(kind) || rank - oneRank,
      ),
    );
  });

  it('TOP, OFFSET LIMIT and COUNT without an order', async () => {
    expect(await ask('SELECT TOP 7 * FROM c')).toHaveLength(7);
    expect(await ask('SELECT VALUE c.id FROM c OFFSET 50 LIMIT 20')).toHaveLength(10);
    expect(await ask('SELECT VALUE COUNT(1) FROM c')).toEqual([ITEMS.length]);
    expect(await ask("SELECT VALUE COUNT(c.rank) FROM c WHERE c.kind = 'g1'")).toEqual([
      ITEMS.filter(({ kind }) => kind === 'g1').length,
    ]);
    expect(await ask("SELECT VALUE COUNT(1) FROM c WHERE c.kind = 'none'")).toEqual([0]);
  });

  it('sorting by what is not indexed is refused here too', async () => {
    expect(await refusal(() => ask('SELECT * FROM c ORDER BY c.scope'))).toMatchObject({ code: 400 });
    expect(await refusal(() => ask('SELECT * FROM c ORDER BY c.rank, c.kind'))).toMatchObject({ code: 400 });
  });

  it('forceQueryPlan and enableQueryControl give the same results', async () => {
    for (const options of [{ forceQueryPlan: true }, { enableQueryControl: true }] as FeedOptions[]) {
      for (const query of [
        'SELECT * FROM c',
        'SELECT * FROM c ORDER BY c.rank',
        'SELECT * FROM c WHERE c.rank < 9',
      ]) {
        const expected = ids(await ask(query)).toSorted();
        expect(ids(await ask(query, { ...options, maxItemCount: 4 })).toSorted()).toEqual(expected);
      }
      expect(await ask('SELECT VALUE COUNT(1) FROM c', options)).toEqual([ITEMS.length]);
    }
  });

  it('the async iterator gives all pages', async () => {
    const seen: number[] = [];
    const query = 'SELECT VALUE c.rank FROM c ORDER BY c.rank';
    for await (const { resources } of container.items
      .query<number>(query, { maxItemCount: 6 })
      .getAsyncIterator()) {
      seen.push(...resources);
    }
    expect(seen).toEqual(ITEMS.map(({ rank }) => rank).toSorted((one, other) => one - other));
  });

  it('readAll reads all', async () => {
    const { resources } = await container.items.readAll<Item>({ maxItemCount: 9 }).fetchAll();
    expect(ids(resources).toSorted()).toEqual(ids(ITEMS).toSorted());
  });

  it('continuation tokens of the client lead through all pages, each item once, in another client too', async () => {
    const sorted = fc.constantFrom('ORDER BY c.rank', 'ORDER BY c.rank DESC', 'ORDER BY c.kind', '');
    const where = fc.constantFrom('', 'WHERE c.rank < 20', "WHERE c.kind != 'g2'", 'WHERE c.rank > 100');
    await fc.assert(
      fc.asyncProperty(
        sorted,
        where,
        fc.integer({ min: 1, max: 20 }),
        async (order, filter, maxItemCount) => {
          const query = `SELECT * FROM c ${filter} ${order}`;
          const whole = await ask(query);
          const seen: Item[] = [];
          let continuationToken: string | undefined;
          const other = account.connect().database(account.database.id).container(container.id);
          do {
            const token = continuationToken === undefined ? {} : { continuationToken };
            const options = { maxItemCount, enableQueryControl: true, ...token };
            const page = await other.items.query<Item>(query, options).fetchNext();
            seen.push(...(page.resources ?? []));
            continuationToken = page.continuationToken;
          } while (continuationToken !== undefined);
          expect(ids(seen).toSorted()).toEqual(ids(whole).toSorted());
          const sortValue = ({ rank, kind }: Item) => (order.includes('rank') ? rank : kind);
          if (order !== '') expect(seen.map(sortValue)).toEqual(whole.map(sortValue));
        },
      ),
      { numRuns: 25, seed: 3 },
    );
  });
});

describe('the change feed of several physical partitions', () => {
  async function drain(start: ChangeFeedStartFrom, maxItemCount = 3, from = container) {
    const iterator = from.items.getChangeFeedIterator<Item & { _lsn: number }>({
      changeFeedStartFrom: start,
      maxItemCount,
    });
    const pages: (Item & { _lsn: number })[][] = [];
    for (;;) {
      const page = await iterator.readNext();
      if (page.statusCode === 304) return { pages, token: page.continuationToken };
      pages.push(page.result);
    }
  }

  it('the container feed tells everything once, not in the order of writing, and each partition in its own', async ({
    skip,
  }) => {
    skip(!isEmulator, 'with one physical partition the service keeps the order');
    const { pages } = await drain(ChangeFeedStartFrom.Beginning());
    const seen = pages.flat();
    expect(ids(seen).toSorted()).toEqual(ids(ITEMS).toSorted());
    expect(ids(seen)).not.toEqual(ids(ITEMS));
    for (const range of await container.getFeedRanges()) {
      const own = (await drain(ChangeFeedStartFrom.Beginning(range))).pages.flat();
      const positions = own.map(({ _lsn }) => _lsn);
      expect(positions).toEqual(positions.toSorted((one, other) => one - other));
    }
  });

  it('the feed ranges together tell what the container feed tells, and none what another one does', async () => {
    const seen: string[] = [];
    for (const range of await container.getFeedRanges()) {
      seen.push(...ids((await drain(ChangeFeedStartFrom.Beginning(range))).pages.flat()));
    }
    expect(seen.toSorted()).toEqual(ids(ITEMS).toSorted());
  });

  it('a part of a feed range tells its part', async () => {
    const [first] = await container.getFeedRanges();
    const middle = '05FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF';
    const end = first?.maxExclusive ?? '';
    const part = (minInclusive: string, maxExclusive: string) =>
      drain(
        ChangeFeedStartFrom.Beginning(
          Object.assign(Object.create(Object.getPrototypeOf(first)), { minInclusive, maxExclusive }),
        ),
      );
    const whole = ids((await part('', end)).pages.flat());
    const halves = [await part('', middle), await part(middle, end)].map(({ pages }) => ids(pages.flat()));
    expect(halves.flat().toSorted()).toEqual(whole.toSorted());
    expect(halves.every((half) => half.length < whole.length)).toBe(true);
  });

  it('a continuation over all partitions goes on where each stands, in another client too', async () => {
    const own = await account.container();
    for (const scope of SCOPES) await own.items.create({ id: `a-${scope}`, scope });
    const { token } = await drain(ChangeFeedStartFrom.Beginning(), 2, own);
    for (const scope of SCOPES) await own.items.create({ id: `b-${scope}`, scope });
    const other = account.connect().database(account.database.id).container(own.id);
    const { pages } = await drain(ChangeFeedStartFrom.Continuation(token), 2, other);
    expect(ids(pages.flat()).toSorted()).toEqual(SCOPES.map((scope) => `b-${scope}`).toSorted());
  });

  it('from now on: only what is written afterwards, wherever', async () => {
    const own = await account.container();
    for (const scope of SCOPES) await own.items.create({ id: `old-${scope}`, scope });
    const iterator = own.items.getChangeFeedIterator<Item>({
      changeFeedStartFrom: ChangeFeedStartFrom.Now(),
    });
    expect((await iterator.readNext()).statusCode).toBe(304);
    for (const scope of SCOPES) await own.items.create({ id: `new-${scope}`, scope });
    const seen: string[] = [];
    for (;;) {
      const page = await iterator.readNext();
      if (page.statusCode === 304) break;
      seen.push(...ids(page.result));
    }
    expect(seen.toSorted()).toEqual(SCOPES.map((scope) => `new-${scope}`).toSorted());
  });

  it('the changes of one batch are never split, whatever the page', async () => {
    const { pages } = await drain(ChangeFeedStartFrom.Beginning(), 1);
    expect(pages.map(({ length }) => length)).toEqual(SCOPES.map(() => PER_SCOPE));
    for (const page of pages) expect(new Set(page.map(({ _lsn }) => _lsn)).size).toBe(1);
  });
});

describe.runIf(isEmulator)('bulk over several physical partitions', () => {
  it('the SDK finds the partition of each operation by its own hash', async () => {
    const bulk = numbers(40).map((number) => ({
      operationType: 'Upsert' as const,
      partitionKey: `bulk-${number}`,
      resourceBody: { id: 'bulk', scope: `bulk-${number}` },
    }));
    const own = await account.container();
    const outcomes = await own.items.executeBulkOperations(bulk);
    expect(outcomes.map(({ response }) => response?.statusCode)).toEqual(numbers(40).map(() => 201));
    expect((await own.item('bulk', 'bulk-39').read()).statusCode).toBe(200);
  });
});
