import type { Container, JSONValue, SqlParameter } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { indexOnly, openAccount, refusal, type TestAccount } from './account.ts';

const ITEMS = [
  { id: 'a', scope: 's', type: 'change', revision: 1, key: '/a', tags: ['x', 'y'], at: { zone: 'eu' } },
  { id: 'b', scope: 's', type: 'change', revision: 2, key: '/b', tags: ['y'], at: { zone: 'us' } },
  { id: 'c', scope: 's', type: 'record', revision: 2, key: '/b', flag: true, tags: [{ n: 1, m: 2 }] },
  { id: 'd', scope: 's', type: 'record', revision: 10, key: '/A', flag: false, nothing: null },
  { id: 'e', scope: 's', type: 'other', revision: '3', key: null },
  { id: 'f', scope: 't', type: 'record', revision: 4, key: '/c' },
];

let account: TestAccount;
let container: Container;

beforeAll(async () => {
  account = await openAccount();
  container = await account.container();
  for (const item of ITEMS) await container.items.create(item);
});
afterAll(async () => account.close());

async function ask(
  query: string,
  parameters: Record<string, JSONValue> = {},
  partitionKey: string | undefined = 's',
) {
  const list: SqlParameter[] = Object.entries(parameters).map(([name, value]) => ({
    name: `@${name}`,
    value,
  }));
  const options = partitionKey === '' ? {} : { partitionKey };
  const { resources } = await container.items.query({ query, parameters: list }, options).fetchAll();
  return resources;
}

const matching = async (filter: string, parameters: Record<string, JSONValue> = {}) =>
  (await ask(`SELECT VALUE c.id FROM c WHERE ${filter}`, parameters)).toSorted().join('');

describe('queries: filters', () => {
  it.each<[string, Record<string, JSONValue>, string]>([
    ["c.type = 'change'", {}, 'ab'],
    ['c.type = @type', { type: 'record' }, 'cd'],
    ["c.type != 'change'", {}, 'cde'],
    ['c.revision < 2', {}, 'a'],
    ['c.revision <= 2', {}, 'abc'],
    ['c.revision > 2', {}, 'd'],
    ['2 <= c.revision', {}, 'bcd'],
    ['c.revision BETWEEN 2 AND @top', { top: 10 }, 'bcd'],
    ['c.revision NOT BETWEEN 2 AND 5', {}, 'ad'],
    ["c.type IN ('change', 'other')", {}, 'abe'],
    ["c.type NOT IN ('change', 'other')", {}, 'cd'],
    ["c.type = 'change' AND c.revision = 2", {}, 'b'],
    ["c.type = 'other' OR c.revision = 10", {}, 'de'],
    ["(c.type = 'other' OR c.revision = 10) AND c.key = '/A'", {}, 'd'],
    ["NOT (c.type = 'change')", {}, 'cde'],
    ['c.flag', {}, 'c'],
    ['c.flag = false', {}, 'd'],
    ['c.key = null', {}, 'e'],
    ['IS_DEFINED(c.flag)', {}, 'cd'],
    ['NOT IS_DEFINED(c.flag)', {}, 'abe'],
    ['IS_DEFINED(c.nothing)', {}, 'd'],
    ["STARTSWITH(c.key, '/a')", {}, 'a'],
    ["STARTSWITH(c.key, '/a', true)", {}, 'ad'],
    ["CONTAINS(c.type, 'or')", {}, 'cd'],
    ["ARRAY_CONTAINS(c.tags, 'y')", {}, 'ab'],
    ['ARRAY_CONTAINS(c.tags, @part, true)', { part: { n: 1 } }, 'c'],
    ['ARRAY_CONTAINS(c.tags, @part)', { part: { n: 1 } }, ''],
    ['ARRAY_CONTAINS(@types, c.type)', { types: ['record', 'x'] }, 'cd'],
    ["c.at.zone = 'us'", {}, 'b'],
    ['c["at"]["zone"] = "eu"', {}, 'a'],
    ["c.tags[0] = 'y'", {}, 'b'],
    ['c.revision = -1 OR c.revision = 1.0', {}, 'a'],
    ["c.id = 'c'", {}, 'c'],
    ["c.id = 'c' AND c.type = 'change'", {}, ''],
  ])('%s', async (filter, parameters, expected) => {
    expect(await matching(filter, parameters)).toBe(expected);
  });

  it('values of different types do not compare, and a missing value is neither equal nor unequal', async () => {
    expect(await matching("c.revision > '0'")).toBe('e');
    expect(await matching('c.flag != true')).toBe('d');
    expect(await matching('NOT (c.flag = true)')).toBe('d');
    expect(await matching("c.flag = true OR c.type = 'other'")).toBe('ce');
  });
});

describe('queries: results', () => {
  it('SELECT * gives the items with their system properties', async () => {
    expect(await ask("SELECT * FROM c WHERE c.id = 'a'")).toEqual([
      expect.objectContaining({ ...ITEMS[0], _etag: expect.any(String), _ts: expect.any(Number) }),
    ]);
  });

  it('a projection names its columns by path or alias and leaves out what is missing', async () => {
    expect(
      await ask('SELECT r.id, r.at.zone, r.flag AS on FROM root r WHERE r.revision <= 2 ORDER BY r.id'),
    ).toEqual([
      { id: 'a', zone: 'eu' },
      { id: 'b', zone: 'us' },
      { id: 'c', on: true },
    ]);
  });

  it('SELECT VALUE gives bare values and drops undefined ones', async () => {
    expect(await ask('SELECT VALUE c.flag FROM c ORDER BY c.id')).toEqual([true, false]);
  });

  it('COUNT(1) counts what passes the filter', async () => {
    expect(await ask("SELECT VALUE COUNT(1) FROM c WHERE c.type = 'record'")).toEqual([2]);
    expect(await ask("SELECT VALUE COUNT(1) FROM c WHERE c.type = 'none'")).toEqual([0]);
    expect(await ask("SELECT VALUE COUNT(1) FROM c WHERE c.type = 'record'", {}, '')).toEqual([3]);
  });

  it('SELECT VALUE builds arrays and objects; what is missing is left out of an object and null in an array', async () => {
    expect(
      await ask(`SELECT VALUE {"id": c.id, 'on': c.flag, zone: c.at.zone} FROM c WHERE c.id = 'a'`),
    ).toEqual([{ id: 'a', zone: 'eu' }]);
    expect(await ask("SELECT VALUE [c.id, c.flag, [c.revision]] FROM c WHERE c.id = 'a'")).toEqual([
      ['a', null, [1]],
    ]);
  });

  it('ORDER BY sorts by type, then by value', async () => {
    expect(await ask('SELECT VALUE c.id FROM c ORDER BY c.revision DESC')).toEqual(['e', 'd', 'c', 'b', 'a']);
    expect(await ask('SELECT VALUE c.key FROM c ORDER BY c.key')).toEqual([null, '/A', '/a', '/b', '/b']);
  });

  it('TOP and OFFSET LIMIT cut the sorted list', async () => {
    expect(await ask('SELECT TOP 2 VALUE c.id FROM c ORDER BY c.id DESC')).toEqual(['e', 'd']);
    expect(await ask('SELECT TOP @n VALUE c.id FROM c ORDER BY c.id', { n: 1 })).toEqual(['a']);
    expect(await ask('SELECT VALUE c.id FROM c ORDER BY c.id OFFSET 1 LIMIT 2')).toEqual(['b', 'c']);
    expect(await ask('SELECT VALUE c.id FROM c ORDER BY c.id OFFSET 4 LIMIT 9')).toEqual(['e']);
  });

  it('without a partition key all partitions are asked', async () => {
    expect((await ask("SELECT VALUE c.id FROM c WHERE c.type = 'record'", {}, '')).toSorted()).toEqual([
      'c',
      'd',
      'f',
    ]);
  });

  it('pages follow each other by continuation tokens, in another client too', async () => {
    const query = 'SELECT VALUE c.id FROM c ORDER BY c.revision';
    const seen: string[] = [];
    let continuationToken: string | undefined;
    do {
      const other = account.connect().database(account.database.id).container(container.id);
      const options = {
        partitionKey: 's',
        maxItemCount: 2,
        ...(continuationToken === undefined ? {} : { continuationToken }),
      };
      const page = await other.items.query<string>(query, options).fetchNext();
      expect(page.resources.length).toBeLessThanOrEqual(2);
      seen.push(...page.resources);
      continuationToken = page.continuationToken;
    } while (continuationToken !== undefined);
    expect(seen).toHaveLength(5);
    expect(new Set(seen).size).toBe(5);
  });
});

describe('queries: pages sorted by texts that no header could hold', () => {
  const text = (end: string) => 'long '.repeat(4000) + end;
  const sorted = async (order: string, between: (own: Container) => Promise<unknown>) => {
    const own = await account.container();
    for (const id of ['b', 'd', 'a', 'c']) await own.items.create({ id, scope: 's', text: text(id) });
    const options = { partitionKey: 's', maxItemCount: 1 };
    const pages = own.items.query<string>(`SELECT VALUE c.id FROM c ORDER BY c.text ${order}`, options);
    const seen: string[] = [];
    while (pages.hasMoreResults()) {
      seen.push(...((await pages.fetchNext()).resources ?? []));
      if (seen.length === 2) await between(own);
    }
    return seen.join('');
  };

  it('follow each other', async () => {
    expect(await sorted('', () => Promise.resolve())).toBe('abcd');
    expect(await sorted('DESC', () => Promise.resolve())).toBe('dcba');
  });

  it('are refused once the last item is another, not put together wrongly', async ({ skip }) => {
    skip(account.server === undefined, 'the service keeps as much as it needs');
    const change = (own: Container) => own.items.upsert({ id: 'b', scope: 's', text: text('z') });
    expect(await refusal(() => sorted('', change))).toMatchObject({ code: 400 });
  });
});

describe('queries: refusals', () => {
  const refused: [string, string][] = [
    ['SELECT * FROM c WHERE', 'unexpected end'],
    ['SELECT * FROM c WHERE c.a = ', 'unexpected end'],
    ["SELECT * FROM c WHERE c.a == 'x'", '='],
    ['SELECT * WHERE c.a = 1', "'WHERE'"],
    ['SELECT VALUE c.a FROM c OFFSET 1', 'unexpected end'],
    ['SELECT c.value FROM c', 'value'],
    ['SELECT * FROM c WHERE x.a = 1', "'x'"],
    ['SELECT * FROM c WHERE MYSTERY(c.a)', "'MYSTERY'"],
    ['SELEKT * FROM c', 'SELEKT'],
  ];
  it.each(refused)('%s is a 400 that names %s', async (query, named) => {
    const { code, message } = await refusal(() => ask(query));
    expect(code).toBe(400);
    expect(message).toContain(named);
  });

  const unsupported: [string, string][] = [
    ['SELECT DISTINCT c.a FROM c', 'DISTINCT'],
    ['SELECT c.a FROM c JOIN d IN c.list', 'JOIN'],
    ['SELECT c.a FROM c GROUP BY c.a', 'GROUP'],
    ["SELECT * FROM c WHERE c.a LIKE '%x'", 'LIKE'],
    ['SELECT * FROM c WHERE c.a + 1 = 2', '+'],
    ["SELECT * FROM c WHERE LOWER(c.a) = 'x'", 'LOWER'],
    ['SELECT VALUE SUM(c.a) FROM c', 'SUM'],
    ['SELECT COUNT(1) AS n FROM c', 'COUNT'],
    ['SELECT VALUE MAX(c.a) FROM c', 'MAX'],
    ['SELECT c.id, COUNT(1) AS n FROM c', 'COUNT'],
    ['SELECT VALUE d FROM c JOIN d IN c.list', 'JOIN'],
    ['SELECT c.a, COUNT(1) AS n FROM c GROUP BY c.a', 'GROUP'],
    ['SELECT * FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags)', 'EXISTS'],
    ['SELECT TOP 1 VALUE COUNT(1) FROM c', "'TOP'"],
    ['SELECT VALUE COUNT(1) FROM c ORDER BY c.id', "'ORDER'"],
    ['SELECT VALUE COUNT(1) FROM c OFFSET 0 LIMIT 1', "'OFFSET'"],
    ['SELECT TOP 1 * FROM c OFFSET 0 LIMIT 1', "'OFFSET'"],
    ['SELECT 1', 'FROM'],
    ['SELECT VALUE c.id FROM c WHERE EXISTS(c.a)', 'EXISTS'],
  ];
  it.each(unsupported)('%s is refused by name, not answered wrongly', async (query, named) => {
    if (account.server === undefined) return;
    const { code, message } = await refusal(() => ask(query));
    expect(code).toBe(400);
    expect(message).toContain(named);
  });

  it('an aggregate is refused with the form that is supported', async () => {
    if (account.server === undefined) return;
    expect((await refusal(() => ask('SELECT COUNT(1) AS n FROM c'))).message).toContain('SELECT VALUE COUNT');
  });

  it('a parameter that was not given is undefined; as a count of results it is a 400', async () => {
    expect(await ask('SELECT * FROM c WHERE c.type = @lost')).toEqual([]);
    expect(await refusal(() => ask('SELECT TOP @lost * FROM c'))).toMatchObject({ code: 400 });
  });

  it('a parameter that is given twice or badly named is a 400', async () => {
    const send = (...names: string[]) =>
      container.items
        .query(
          { query: 'SELECT * FROM c', parameters: names.map((name) => ({ name, value: 1 })) },
          { partitionKey: 's' },
        )
        .fetchAll();
    expect((await refusal(() => send('@a', '@a'))).message).toContain('duplicate parameter');
    expect((await refusal(() => send('a'))).message).toContain("symbol '@'");
    await expect(send('@a', '@b')).resolves.toBeDefined();
  });

  it('two columns of one name are a 400', async () => {
    expect((await refusal(() => ask('SELECT c.id, c.type AS id FROM c'))).message).toContain("'id'");
  });

  it('a continuation token of another query is a 400', async () => {
    const page = await container.items
      .query('SELECT * FROM c ORDER BY c.id', { partitionKey: 's', maxItemCount: 1 })
      .fetchNext();
    const other = (continuationToken: string) =>
      container.items
        .query('SELECT * FROM c ORDER BY c.key', { partitionKey: 's', continuationToken })
        .fetchNext();
    expect(await refusal(() => other(page.continuationToken))).toMatchObject({ code: 400 });
    expect(await refusal(() => other('nonsense'))).toMatchObject({ code: 400 });
  });

  it('sorting by a path that is not indexed is a 400', async () => {
    const narrow = await account.container({ indexingPolicy: indexOnly('/type/?') });
    const query = (text: string) => narrow.items.query(text, { partitionKey: 's' }).fetchAll();
    expect(await refusal(() => query('SELECT * FROM c ORDER BY c.revision'))).toMatchObject({ code: 400 });
    await expect(query('SELECT * FROM c ORDER BY c.type')).resolves.toBeDefined();
  });

  it('sorting by two paths needs a composite index', async () => {
    const policy = indexOnly('/type/?', '/key/?');
    const compositeIndexes = [
      [
        { path: '/type', order: 'ascending' as const },
        { path: '/key', order: 'descending' as const },
      ],
    ];
    const composite = await account.container({ indexingPolicy: { ...policy, compositeIndexes } });
    for (const item of ITEMS) await composite.items.create(item);
    const sorted = (order: string) =>
      composite.items.query(`SELECT VALUE c.id FROM c ORDER BY ${order}`, { partitionKey: 's' }).fetchAll();
    expect((await sorted('c.type, c.key DESC')).resources).toEqual(['b', 'a', 'e', 'c', 'd']);
    expect((await sorted('c.type DESC, c.key')).resources).toEqual(['d', 'c', 'e', 'a', 'b']);
    expect(await refusal(() => sorted('c.type, c.key'))).toMatchObject({ code: 400 });
    expect(await refusal(() => ask('SELECT * FROM c ORDER BY c.type, c.key'))).toMatchObject({ code: 400 });
  });
});
