import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyValues, type TransactionInput } from '../../../shared/kv/index.ts';
import { type Clock, systemClock } from '../../../shared/platform/clock.ts';
import { writeCursor } from '../../../shared/platform/cursor.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Change, type Json, Records } from '../../../shared/records/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';

const NS = 'default';
const author = { actor: 'test' };
const free = { author };

let now = Date.parse('2026-01-01T00:00:00.000Z');
const clock: Clock = { now: () => now, sleep: systemClock.sleep };

let cosmos: CosmosFixture;
let records: Records;
let keyValues: KeyValues;
let stores = 0;

beforeAll(async () => {
  cosmos = await startCosmos();
  records = openRecords();
  keyValues = new KeyValues(records, clock);
});

afterAll(async () => {
  await cosmos.stop();
});

function openRecords(options: { snapshotLimits?: { records: number; bytes: number } } = {}): Records {
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  return new Records({ container, clock, random: systemRandom, ...options });
}

function newStore(): string {
  stores += 1;
  return `store${stores}`;
}

/** Puts `{key: value}` one after another. */
async function fill(store: string, content: Record<string, Json>): Promise<void> {
  for (const [key, value] of Object.entries(content)) {
    await keyValues.put(NS, store, key, { value }, free);
  }
}

async function keysOf(store: string, prefix = '', by = keyValues): Promise<string[]> {
  return (await by.list(NS, store, { prefix })).items.map(({ key }) => key);
}

async function changesOf(store: string): Promise<Change<Json>[]> {
  const scope = { ns: NS, kind: 'kv', name: store };
  const position = await records.position(scope);
  const changes = await Promise.all(
    Array.from({ length: position }, (_, index) => records.readChange<Json>(scope, index + 1)),
  );
  return changes.filter((change) => change !== undefined);
}

async function transact(store: string, { compare = [], branches = [[], []] }: Partial<TransactionInput>) {
  return await keyValues.transact(NS, store, { compare, branches }, author);
}

describe('keys', () => {
  it('are found by their name alone, and keep what was put', async () => {
    const store = newStore();
    const { keyValue, created } = await keyValues.put(
      NS,
      store,
      'my/prefix/key',
      { value: { a: [1, null] } },
      free,
    );
    expect({ keyValue, created }).toMatchObject({
      keyValue: { key: 'my/prefix/key', revision: 1 },
      created: true,
    });
    expect(await keyValues.get(NS, store, 'my/prefix/key')).toEqual(keyValue);
    expect(await keyValues.get(NS, store, 'my/prefix')).toBeUndefined();
    expect(await keyValues.get('other', store, 'my/prefix/key')).toBeUndefined();
  });

  it('do not change when the same is put again', async () => {
    const store = newStore();
    await fill(store, { a: { x: 1, y: 2 } });
    const again = await keyValues.put(NS, store, 'a', { value: { y: 2, x: 1 } }, free);
    expect(again).toMatchObject({ keyValue: { revision: 1 }, created: false });
    expect(await changesOf(store)).toHaveLength(1);
  });

  it('are deleted as a whole name, never as a prefix', async () => {
    const store = newStore();
    await fill(store, { keyWest: 1 });
    await expect(keyValues.delete(NS, store, 'key', free)).rejects.toMatchObject({ kind: 'not-found' });
    expect(await keyValues.delete(NS, store, 'keyWest', free)).toBe(2);
    expect(await keyValues.get(NS, store, 'keyWest')).toBeUndefined();
  });

  it('are listed in order, page by page, under a prefix by whole segments', async () => {
    for (const limits of [
      { records: 5000, bytes: 1e7 },
      { records: 1, bytes: 1e7 },
    ]) {
      const store = newStore();
      await fill(store, { b: 1, 'a/y': 2, a: 3, ab: 4, 'a/x/z': 5, 'a-b': 6, 'a/': 7 });
      const by = new KeyValues(openRecords({ snapshotLimits: limits }), clock);
      expect(await keysOf(store, '', by)).toEqual(['a', 'a-b', 'a/', 'a/x/z', 'a/y', 'ab', 'b']);
      expect(await keysOf(store, 'a', by)).toEqual(['a', 'a/', 'a/x/z', 'a/y']);
      expect(await keysOf(store, 'a/', by)).toEqual(['a/x/z', 'a/y']);
      expect(await keysOf(store, 'c', by)).toEqual([]);
      const first = await by.list(NS, store, { prefix: 'a', limit: 3 });
      const second = await by.list(NS, store, { prefix: 'a', limit: 3, after: first.next });
      expect([first.items.length, second.items.map(({ key }) => key), second.next]).toEqual([
        3,
        ['a/y'],
        undefined,
      ]);
    }
    for (const revision of [-1, 1e9, 1.5]) {
      const store = newStore();
      await fill(store, { a: 1, b: 2 });
      const by = new KeyValues(openRecords({ snapshotLimits: { records: 1, bytes: 1e7 } }), clock);
      await expect(
        by.list(NS, store, { after: writeCursor(['/kv/a', revision]) }),
        String(revision),
      ).rejects.toMatchObject({ kind: 'invalid', field: 'after' });
    }
  });

  it('are shown at one revision on all pages of the past, whatever the later pages ask for', async () => {
    const store = newStore();
    await fill(store, { a: 1, b: 2 });
    await fill(store, { b: 3, c: 4 });
    await keysOf(store);
    const { next: after } = await keyValues.list(NS, store, { revision: 2, limit: 1 });
    expect(await keyValues.list(NS, store, { after })).toMatchObject({
      items: [{ key: 'b', value: 2 }],
      revision: 2,
    });
  });

  it('are not listed by the cursor of another store, which names a revision that this one has not reached', async () => {
    const by = new KeyValues(openRecords({ snapshotLimits: { records: 1, bytes: 1e7 } }), clock);
    const [long, short] = [newStore(), newStore()];
    await fill(long, { a: 1, b: 2, c: 3 });
    await fill(short, { a: 1, b: 2 });
    const { next: after } = await by.list(NS, long, { limit: 1 });
    await expect(by.list(NS, short, { after })).rejects.toMatchObject({ kind: 'invalid' });
  });

  it('with characters that are odd somewhere on the way are kept apart', async () => {
    const store = newStore();
    const odd = [
      '%',
      '%2',
      '+',
      ' ',
      'a ',
      '?',
      '#',
      '\\',
      '|',
      '~1',
      '/',
      '//',
      '🐟',
      '\uffff',
      "'",
      '"',
      '&=',
    ];
    await fill(store, Object.fromEntries(odd.map((key) => [key, key])));
    expect(await keysOf(store)).toEqual(odd.toSorted());
    expect(await Promise.all(odd.map(async (key) => (await keyValues.get(NS, store, key))?.value))).toEqual(
      odd,
    );
    await Promise.all(odd.map((key) => keyValues.delete(NS, store, key, free)));
    expect(await keysOf(store)).toEqual([]);
  });
});

describe('a ttl', () => {
  it('ends a key on time for everybody, and the next put writes that down first', async () => {
    const store = newStore();
    await fill(store, { other: 1 });
    const { keyValue } = await keyValues.put(NS, store, 'a', { value: 'old', ttl: 5 }, free);
    expect(Date.parse(keyValue.expiresAt ?? '')).toBe(now + 5000);
    now += 4999;
    expect(await keyValues.get(NS, store, 'a')).toEqual(keyValue);
    expect(await keyValues.list(NS, store)).toMatchObject({ hidesLapsed: false, items: [{ key: 'a' }, {}] });
    now += 1;
    expect(await keyValues.get(NS, store, 'a')).toBeUndefined();
    expect(await keyValues.list(NS, store)).toMatchObject({ hidesLapsed: true, revision: 2 });
    expect(await keysOf(store)).toEqual(['other']);
    expect(
      await keysOf(
        store,
        '',
        new KeyValues(openRecords({ snapshotLimits: { records: 1, bytes: 9 } }), clock),
      ),
    ).toEqual(['other']);
    await expect(keyValues.delete(NS, store, 'a', free)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(
      keyValues.put(NS, store, 'a', { value: 1 }, { author, precondition: { ifMatch: '*' } }),
    ).rejects.toMatchObject({ kind: 'precondition-failed' });
    expect(await changesOf(store)).toHaveLength(2);
    const anew = await keyValues.put(NS, store, 'a', { value: 'new' }, free);
    expect(anew).toMatchObject({ created: true, keyValue: { revision: 4 } });
    const [, , expiry, put] = await changesOf(store);
    expect(expiry).toMatchObject({
      type: 'expire',
      key: `/kv/${store}/a`,
      actor: 'system:expiry',
      previous: { value: 'old' },
    });
    expect(expiry).not.toHaveProperty('value');
    expect(put).not.toHaveProperty('previous');
  });

  it('begins anew with each put that asks for one, and ends with one that does not', async () => {
    const store = newStore();
    await keyValues.put(NS, store, 'a', { value: 1, ttl: 5 }, free);
    now += 3000;
    const renewed = await keyValues.put(NS, store, 'a', { value: 1, ttl: 5 }, free);
    expect(renewed).toMatchObject({ created: false, keyValue: { revision: 2 } });
    now += 3000;
    const { keyValue } = await keyValues.put(NS, store, 'a', { value: 1 }, free);
    expect(keyValue).toMatchObject({ revision: 3 });
    expect(keyValue).not.toHaveProperty('expiresAt');
    now += 86_400_000;
    expect(await keyValues.get(NS, store, 'a')).toEqual(keyValue);
  });

  it('is written down by a sweep over all stores, once, and not for what was put again', async () => {
    const [one, other] = [newStore(), newStore()];
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        keyValues.put(NS, one, `k${index}`, { value: 1, ttl: 1 }, free),
      ),
    );
    await keyValues.put(NS, other, 'a', { value: 1, ttl: 1 }, free);
    await keyValues.put(NS, other, 'b', { value: 1, ttl: 100 }, free);
    now += 1000;
    await keyValues.put(NS, one, 'k7', { value: 2 }, free);
    const swept = await Promise.all([records.expireLapsed(1000), openRecords().expireLapsed(1000)]);
    expect(swept.reduce((sum, { expired }) => sum + expired, 0)).toBe(60);
    expect(swept.flatMap(({ failed }) => failed)).toEqual([]);
    expect(await records.expireLapsed(1000)).toEqual({ expired: 0, failed: [] });
    expect((await changesOf(other)).map(({ type, actor }) => [type, actor])).toEqual([
      ['put', 'test'],
      ['put', 'test'],
      ['expire', 'system:sweep'],
    ]);
    expect(await keysOf(one)).toEqual(['k7']);
    expect((await keyValues.list(NS, one)).hidesLapsed).toBe(false);
  });
});

describe('the keys under a prefix', () => {
  it.each([
    ['held in memory', 5000],
    ['too many for memory', 1],
  ])('go together up to 49, and otherwise in batches, %s', async (_, maxRecords) => {
    const own = openRecords({ snapshotLimits: { records: maxRecords, bytes: 1e7 } });
    const by = new KeyValues(own, clock);
    const store = newStore();
    await fill(store, { 'something/a': 1, 'something/a/b': 2, 'something/a/c': 3, 'something/ab': 4 });
    await own.list({ ns: NS, kind: 'kv', name: store });
    expect(await by.deletePrefix(NS, store, 'something/a', { author, atomic: true })).toEqual({
      deleted: 3,
      revision: 7,
      atomic: true,
      batches: 1,
    });
    expect((await changesOf(store)).slice(4).map(({ transaction }) => transaction)).toEqual(
      Array(3).fill({ first: 5, last: 7 }),
    );
    expect(await keysOf(store, '', by)).toEqual(['something/ab']);
    const nothing = { deleted: 0, revision: 7, atomic: true, batches: 0 };
    expect(await by.deletePrefix(NS, store, 'something/a', { author, atomic: false })).toEqual(nothing);

    await Promise.all(
      Array.from({ length: 100 }, (_, index) => by.put(NS, store, `n/${index}`, { value: 1 }, free)),
    );
    await expect(by.deletePrefix(NS, store, '', { author, atomic: true })).rejects.toMatchObject({
      kind: 'unprocessable',
      field: 'atomic',
    });
    expect(await keysOf(store, '', by)).toHaveLength(101);
    expect(await by.deletePrefix(NS, store, 'n/', { author, atomic: false })).toEqual({
      deleted: 100,
      revision: 207,
      atomic: false,
      batches: 3,
    });
    expect(await keysOf(store, '', by)).toEqual(['something/ab']);
  });

  it('go in smaller batches where their values are large', async () => {
    const store = newStore();
    const value = 'x'.repeat(200_000);
    await fill(store, { a: value, b: value, c: value, d: value, e: value, f: value, g: value, h: value });
    await expect(keyValues.deletePrefix(NS, store, '', { author, atomic: true })).rejects.toMatchObject({
      kind: 'unprocessable',
      field: 'atomic',
    });
    const deletion = await keyValues.deletePrefix(NS, store, '', { author, atomic: false });
    expect(deletion).toMatchObject({ deleted: 8, atomic: false, batches: 2 });
    expect(await keysOf(store)).toEqual([]);
  });

  it('are all gone at the revision of their deletion, those that others write meanwhile too', async () => {
    const store = newStore();
    const other = new KeyValues(openRecords(), clock);
    const writes = Array.from({ length: 40 }, (_, index) =>
      (index % 2 === 0 ? keyValues : other).put(NS, store, `p/${index}`, { value: 1 }, free),
    );
    const deletions = Array.from({ length: 4 }, () =>
      keyValues.deletePrefix(NS, store, 'p', { author, atomic: true }),
    );
    await Promise.all([...writes, ...deletions]);
    const present = new Set<string>();
    for (const { key, type, revision, transaction } of await changesOf(store)) {
      type === 'put' ? present.add(key) : present.delete(key);
      if (type === 'delete' && revision === (transaction?.last ?? revision)) {
        expect([...present]).toEqual([]);
      }
    }
    expect((await keysOf(store)).length).toBe(present.size);
  });
});

describe('a transaction', () => {
  it('does all of one branch, in order, and tells what it found', async () => {
    const store = newStore();
    const three = await transact(store, {
      branches: [
        [{ put: { key: 'c', value: 3 } }, { put: { key: 'a', value: 1 } }, { put: { key: 'b', value: 2 } }],
        [],
      ],
    });
    expect(three).toEqual({
      succeeded: true,
      revision: 3,
      results: [
        { put: { key: 'c', revision: 1 } },
        { put: { key: 'a', revision: 2 } },
        { put: { key: 'b', revision: 3 } },
      ],
    });
    expect((await changesOf(store)).map(({ transaction }) => transaction)).toEqual(
      Array(3).fill({ first: 1, last: 3 }),
    );
    expect(await keysOf(store)).toEqual(['a', 'b', 'c']);

    const mixed = await transact(store, {
      compare: [
        { key: 'a', revision: 2 },
        { key: 'b', value: 2 },
        { key: 'c', exists: true },
        { key: 'd', exists: false },
        { key: 'd', revision: 0 },
      ],
      branches: [
        [
          { get: { key: 'c' } },
          { delete: { key: 'a' } },
          { put: { key: 'b', value: 'new', ttl: 60 } },
          { delete: { key: 'd' } },
          { get: { key: 'e' } },
        ],
        [{ put: { key: 'never', value: 1 } }],
      ],
    });
    expect(mixed).toMatchObject({
      succeeded: true,
      revision: 5,
      results: [
        { get: { key: 'c', value: 3, revision: 1 } },
        { delete: { key: 'a', deleted: true, revision: 4 } },
        { put: { key: 'b', revision: 5, previous: { value: 2, revision: 3 } } },
        { delete: { key: 'd', deleted: false } },
        { get: null },
      ],
    });
    expect(await keysOf(store)).toEqual(['b', 'c']);
  });

  it('puts where there is nothing, swaps and deletes what is as it should be, and tells when it is not', async () => {
    const store = newStore();
    const putIfNew = () =>
      transact(store, {
        compare: [{ key: 'k', exists: false }],
        branches: [[{ put: { key: 'k', value: 'abcd' } }], []],
      });
    const swap = (from: string, to: string) =>
      transact(store, {
        compare: [{ key: 'k', value: from }],
        branches: [[{ put: { key: 'k', value: to } }], [{ get: { key: 'k' } }]],
      });
    expect((await putIfNew()).succeeded).toBe(true);
    expect((await putIfNew()).succeeded).toBe(false);
    expect((await swap('abcd', 'efgh')).succeeded).toBe(true);
    expect(await swap('abcd', 'ijkl')).toMatchObject({
      succeeded: false,
      revision: 2,
      results: [{ get: { value: 'efgh' } }],
    });
    expect((await swap('efgh', 'ijkl')).succeeded).toBe(true);
    const deleteIf = (value: string) =>
      transact(store, { compare: [{ key: 'k', value }], branches: [[{ delete: { key: 'k' } }], []] });
    expect((await deleteIf('other')).succeeded).toBe(false);
    expect((await deleteIf('ijkl')).succeeded).toBe(true);
    expect((await putIfNew()).succeeded).toBe(true);
  });

  it('takes what has lapsed for gone, and changes nothing where there is nothing to change', async () => {
    const store = newStore();
    await keyValues.put(NS, store, 'a', { value: 1, ttl: 1 }, free);
    await fill(store, { b: 2 });
    now += 1000;
    const unchanged = await transact(store, {
      compare: [{ key: 'a', exists: true }],
      branches: [[], [{ put: { key: 'b', value: 2 } }, { delete: { key: 'a' } }]],
    });
    expect(unchanged).toEqual({
      succeeded: false,
      revision: 2,
      results: [
        { put: { key: 'b', revision: 2, previous: expect.objectContaining({ value: 2 }) } },
        { delete: { key: 'a', deleted: false } },
      ],
    });
    expect(await changesOf(store)).toHaveLength(2);
    expect(await transact(store, {})).toEqual({ succeeded: true, revision: 2, results: [] });
  });

  it('is refused as a whole where a rule is broken, in either branch', async () => {
    const store = newStore();
    const put = (key: string) => ({ put: { key, value: 1 } });
    const cases: [Partial<TransactionInput>, object][] = [
      [
        { branches: [[put('a'), { get: { key: 'a' } }], []] },
        { kind: 'unprocessable', field: 'then[1].get.key' },
      ],
      [
        { branches: [[], [{ delete: { key: 'a' } }, put('a')]] },
        { kind: 'unprocessable', field: 'else[1].put.key' },
      ],
      [
        { branches: [[put('x')], Array.from({ length: 50 }, (_, index) => put(`k${index}`))] },
        { kind: 'unprocessable', field: 'else' },
      ],
      [{ branches: [[put('a'), put('../b')], []] }, { kind: 'invalid', field: 'then[1].put.key' }],
      [{ compare: [{ key: '', exists: true }] }, { kind: 'invalid', field: 'compare[0].key' }],
      [
        { branches: [[{ put: { key: 'a', value: 'x'.repeat(300_000) } }], []] },
        { kind: 'too-large', field: 'then[0].put.value' },
      ],
      [
        { branches: [['a', 'b', 'c', 'd'].map((key) => ({ put: { key, value: 'x'.repeat(200_000) } })), []] },
        { kind: 'too-large' },
      ],
    ];
    for (const [input, error] of cases) {
      await expect(transact(store, input)).rejects.toMatchObject(error);
    }
    expect(await changesOf(store)).toEqual([]);
  });

  it('of 49 writes stands as one, and of transactions that collide each sees those before it', async () => {
    const store = newStore();
    const keys = Array.from({ length: 49 }, (_, index) => `k${index}`);
    const full = await transact(store, { branches: [keys.map((key) => ({ put: { key, value: 1 } })), []] });
    expect(full.revision).toBe(49);
    const stores = [keyValues, new KeyValues(openRecords(), clock), new KeyValues(openRecords(), clock)];
    const increment = async (by: KeyValues) => {
      for (;;) {
        const value = (await by.get(NS, store, 'counter'))?.value ?? 0;
        const { succeeded } = await by.transact(
          NS,
          store,
          {
            compare: value === 0 ? [{ key: 'counter', revision: 0 }] : [{ key: 'counter', value }],
            branches: [
              [{ put: { key: 'counter', value: Number(value) + 1 } }, { put: { key: 'by', value } }],
              [],
            ],
          },
          author,
        );
        if (succeeded) {
          return;
        }
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, index) => increment(stores[index % 3] as KeyValues)));
    expect((await keyValues.get(NS, store, 'counter'))?.value).toBe(12);
    expect((await keyValues.get(NS, store, 'by'))?.value).toBe(11);
  });
});
