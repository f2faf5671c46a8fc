import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SkerryError } from '../../../shared/platform/errors.ts';
import { Compaction, type Scope, Watches } from '../../../shared/records/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { Crash, DAY, dyingAfter, HOUR, openProcess, put, remove, ShiftedClock } from './history-fixture.ts';
import { injectFaults } from './injected-faults.ts';

let cosmos: CosmosFixture;
let clock: ShiftedClock;
let one: ReturnType<typeof openProcess>;
let other: ReturnType<typeof openProcess>;
let scope: Scope;
let scopes = 0;

beforeAll(async () => {
  cosmos = await startCosmos({ faults: true });
});

afterAll(async () => {
  await cosmos.stop();
});

beforeEach(() => {
  clock = new ShiftedClock();
  one = openProcess(cosmos, clock);
  other = openProcess(cosmos, clock);
  scopes += 1;
  scope = { ns: 'default', kind: 'kv', name: `c${scopes}` };
});

const FOR_EVER = Number.POSITIVE_INFINITY;

/** Ids of the documents of the scope, without the head. */
async function documentIds(): Promise<string[]> {
  const query = "SELECT VALUE c.id FROM c WHERE c.type != 'head' ORDER BY c.id";
  const partitionKey = `${scope.ns}:${scope.kind}:${scope.name}`;
  const { resources } = await one.container.items.query<string>(query, { partitionKey }).fetchAll();
  return resources.map((id) => id.replace(/:0*/, ':'));
}

async function isCompacted(read: Promise<unknown>): Promise<boolean> {
  try {
    await read;
    return false;
  } catch (error) {
    return error instanceof SkerryError && error.kind === 'compacted';
  }
}

test('what is cut off is gone for readers at once, and from storage an hour after it was written', async () => {
  await put(one.records, scope, '/kv/a', 1);
  await remove(one.records, scope, '/kv/a');
  await put(one.records, scope, '/kv/b', 1);
  expect(await one.compaction.cutOff(scope, 3)).toMatchObject({ compactedTo: 2 });
  for (const { records } of [one, other]) {
    expect(await isCompacted(records.getAt(scope, '/kv/a', 1))).toBe(true);
    expect(await isCompacted(records.list(scope, { revision: 1 }))).toBe(true);
    for (const order of ['oldest', 'newest'] as const) {
      const { changes, compactedTo, next } = await records.history(scope, { order, limit: 1 });
      expect([changes.map(({ revision }) => revision), compactedTo, next]).toEqual([[3], 2, undefined]);
    }
  }
  expect(await one.compaction.remove(scope, FOR_EVER)).toBe(0);
  expect(await documentIds()).toEqual(['c:1', 'c:2', 'c:3', 'r:|kv|a', 'r:|kv|b']);

  clock.advance(HOUR + 1000);
  expect(await one.compaction.remove(scope, FOR_EVER)).toBe(2);
  expect(await documentIds()).toEqual(['c:3', 'r:|kv|b']);
  for (const { records } of [one, other]) {
    expect(await isCompacted(records.getAt(scope, '/kv/a', 1))).toBe(true);
    expect(await isCompacted(records.list(scope, { revision: 1 }))).toBe(true);
    expect(await records.getAt(scope, '/kv/a', 2)).toBeUndefined();
  }
});

test('a scope that was never written, and revisions that are not reached, can be cut off nowhere', async () => {
  await expect(one.compaction.cutOff(scope, 1)).rejects.toMatchObject({ kind: 'unprocessable' });
  await put(one.records, scope, '/kv/a', 1);
  expect(await one.compaction.cutOff(scope, 1)).toMatchObject({ compactedTo: 0 });
  await expect(one.records.getAt(scope, '/kv/a', 2)).rejects.toMatchObject({ kind: 'invalid' });
});

test('a transaction is cut off as a whole or not at all', async () => {
  await put(one.records, scope, '/kv/a', 1);
  const keys = ['/kv/a', '/kv/b', '/kv/c'];
  await one.records.transact(scope, {
    keys,
    actor: 'test',
    decide: () => ({ writes: keys.map((key) => ({ key, decision: { type: 'put', value: 2 } })) }),
  });
  expect(await one.compaction.cutOff(scope, 4)).toMatchObject({ compactedTo: 1 });
  await put(one.records, scope, '/kv/a', 3);
  expect(await one.compaction.cutOff(scope, 3)).toMatchObject({ compactedTo: 1 });
  expect(await one.compaction.cutOff(scope, 4)).toMatchObject({ compactedTo: 4 });
});

test('a key that is created again while its tombstone goes is not lost', async () => {
  await put(one.records, scope, '/kv/a', 1);
  await remove(one.records, scope, '/kv/a');
  await put(one.records, scope, '/kv/b', 1);
  await one.compaction.cutOff(scope, 2);
  clock.advance(2 * HOUR);
  const item = one.container.item('r:|kv|a', `default:kv:${scope.name}`);
  const tombstone = (await item.read()).resource;
  // What compaction knows when it is about to remove the tombstone is what it read before the key came back.
  const stale = new Proxy(one.container, {
    get(container, name) {
      const member: unknown = Reflect.get(container, name, container);
      if (name !== 'item') return typeof member === 'function' ? member.bind(container) : member;
      return (id: string, partition: string) => {
        const real = container.item(id, partition);
        if (id !== 'r:|kv|a') return real;
        const read = async () => {
          await put(other.records, scope, '/kv/a', 2);
          return { resource: tombstone, statusCode: 200 };
        };
        return { read, delete: real.delete.bind(real) };
      };
    },
  });
  expect(await new Compaction({ container: stale, clock }).remove(scope, FOR_EVER)).toBe(2);
  expect(await one.records.get(scope, '/kv/a')).toMatchObject({ value: 2, revision: 4 });
});

describe('a process that has not looked for long, and missed what is removed by now', () => {
  beforeEach(async () => {
    await put(other.records, scope, '/kv/a', 'old');
    await other.records.list(scope);
    await put(one.records, scope, '/kv/a', 'new');
    await remove(one.records, scope, '/kv/a');
    for (let revision = 4; revision <= 6; revision += 1) await put(one.records, scope, '/kv/b', revision);
    await one.compaction.cutOff(scope, 5);
    clock.advance(2 * HOUR);
    await one.compaction.remove(scope, FOR_EVER);
  });

  test('finds the present', async () => {
    expect(await other.records.position(scope)).toBe(6);
    expect((await other.records.list(scope)).records).toMatchObject([{ key: '/kv/b', value: 6 }]);
  });

  test('writes where the log ends, on what stands there', async () => {
    const seen: unknown[] = [];
    const commit = await other.records.commit<unknown>(scope, {
      key: '/kv/a',
      actor: 'test',
      decide(current) {
        seen.push(current?.value);
        return { type: 'put', value: 'again' };
      },
    });
    expect(commit).toMatchObject({ revision: 7, previous: undefined });
    expect(seen.at(-1)).toBeUndefined();
    expect((await one.records.list(scope)).records).toMatchObject([{ value: 'again' }, { value: 6 }]);
  });

  test('refuses nothing on what it remembers', async () => {
    const commit = await other.records.commit<unknown>(scope, {
      key: '/kv/a',
      actor: 'test',
      decide: (current) => (current === undefined ? { type: 'put', value: 1 } : { type: 'keep' }),
    });
    expect(commit).toMatchObject({ changed: true, revision: 7 });
  });

  test('catches up with what is left', async () => {
    await put(one.records, scope, '/kv/c', 7);
    // Proven just now, and behind all the same: another process wrote what this one has not read.
    await Promise.all([put(other.records, scope, '/kv/d', 8), put(one.records, scope, '/kv/e', 9)]);
    expect(await other.records.position(scope)).toBe(9);
    expect((await other.records.list(scope)).records).toHaveLength(4);
  });
});

test('a writer in doubt whose change is removed meanwhile is told so, and does not write again', async () => {
  await put(one.records, scope, '/kv/a', 'before');
  const frozen = new ShiftedClock();
  // The process stops for two hours between the lost answer and its look at the log.
  frozen.sleep = async () => {
    for (let revision = 3; revision <= 5; revision += 1) await put(one.records, scope, '/kv/b', revision);
    await one.compaction.cutOff(scope, 5);
    clock.advance(2 * HOUR);
    expect(await one.compaction.remove(scope, FOR_EVER)).toBe(4);
    frozen.advance(2 * HOUR);
  };
  const writer = openProcess(cosmos, frozen);
  expect(await writer.records.position(scope)).toBe(1);
  await injectFaults(cosmos.server, [
    { match: { operation: 'batch' }, count: 1, action: { kind: 'drop-after' } },
  ]);
  await expect(put(writer.records, scope, '/kv/a', 'in doubt')).rejects.toMatchObject({
    kind: 'unavailable',
  });
  await injectFaults(cosmos.server, []);
  expect(await one.records.position(scope)).toBe(5);
  expect(await one.records.get(scope, '/kv/a')).toMatchObject({ value: 'in doubt', revision: 2 });
  expect(await put(writer.records, scope, '/kv/a', 'after')).toBe(6);
});

describe('the policy of a scope', () => {
  test('keeps the newest changes and all of the last days', async () => {
    for (let revision = 1; revision <= 10; revision += 1) await put(one.records, scope, '/kv/a', revision);
    clock.advance(10 * DAY);
    for (let revision = 11; revision <= 14; revision += 1) await put(one.records, scope, '/kv/a', revision);
    const enforce = (minChanges: number, minDays: number) =>
      one.compaction.enforce(scope, { minChanges, minDays }, FOR_EVER);
    expect(await enforce(100, 1)).toBe(0);
    expect(await enforce(1, 11)).toBe(0);
    expect(await enforce(6, 1)).toBe(8);
    expect(await enforce(1, 1)).toBe(2);
    expect(await enforce(1, 1)).toBe(0);
    expect(await one.records.head(scope)).toMatchObject({ compactedTo: 10 });
    expect(await documentIds()).toEqual(['c:11', 'c:12', 'c:13', 'c:14', 'r:|kv|a']);
  });

  test('is asked about scopes with old milestones and with something left to remove, and no others', async () => {
    const find = async (minDays: number) =>
      (await one.compaction.findCompactable(minDays)).map(({ name }) => name);
    await Promise.all(
      Array.from({ length: 250 }, (_, index) => put(one.records, scope, `/kv/${index % 5}`, index)),
    );
    expect(await find(1)).not.toContain(scope.name);
    await one.compaction.cutOff(scope, 3);
    expect(await find(1)).toContain(scope.name);
    clock.advance(2 * HOUR);
    await one.compaction.remove(scope, FOR_EVER);
    expect(await find(1)).not.toContain(scope.name);
    clock.advance(2 * DAY);
    expect(await find(1)).toContain(scope.name);
    expect(await find(3)).not.toContain(scope.name);
  });
});

describe('compaction that dies at any of its calls', () => {
  async function fill(): Promise<void> {
    await put(one.records, scope, '/kv/a', 1);
    await remove(one.records, scope, '/kv/a');
    await put(one.records, scope, '/kv/b', 1);
    await remove(one.records, scope, '/kv/c');
    await put(one.records, scope, '/kv/c', 2);
    clock.advance(2 * HOUR);
    await put(one.records, scope, '/kv/b', 2);
  }

  const compactWith = (container: typeof one.container) =>
    new Compaction({ container, clock }).enforce(scope, { minChanges: 1, minDays: 0 }, FOR_EVER);

  test.each(['not made', 'not answered'] as const)(
    'the last of which is %s goes on with the next run',
    async (lastCall) => {
      for (let calls = 0; ; calls += 1) {
        scope = { ...scope, name: `${scope.name}-${calls}` };
        await fill();
        const died = await compactWith(dyingAfter(one.container, calls, lastCall)).then(
          () => false,
          (error: unknown) => {
            if (error instanceof Crash) return true;
            throw error;
          },
        );
        expect((await other.records.list(scope)).records).toMatchObject([
          { key: '/kv/b', value: 2 },
          { key: '/kv/c', value: 2 },
        ]);
        const told = await other.records.history(scope, { order: 'oldest', limit: 10 });
        expect(told.changes.map(({ revision }) => revision)).toEqual(
          [1, 2, 3, 4, 5, 6].filter((revision) => revision > told.compactedTo),
        );
        await compactWith(one.container);
        expect(await documentIds()).toEqual(['c:6', 'r:|kv|b', 'r:|kv|c']);
        if (!died) {
          expect(calls).toBeGreaterThan(8);
          return;
        }
      }
    },
  );

  test('two at once remove what one would', async () => {
    await fill();
    await Promise.all([compactWith(one.container), compactWith(other.container)]);
    await compactWith(one.container);
    expect(await documentIds()).toEqual(['c:6', 'r:|kv|b', 'r:|kv|c']);
    expect((await one.compaction.findCompactable(1)).map(({ name }) => name)).not.toContain(scope.name);
  });
});

describe('a watch of several scopes', () => {
  const wanted = { types: undefined, limit: 10 };

  beforeEach(() => {
    scope = { ns: `wide${scopes}`, kind: 'kv', name: 'a' };
  });

  function watchStores({ container, records }: typeof one) {
    const watches = new Watches({ records, container, clock, maxHeld: 10, isVisible: () => true });
    const range = { ns: scope.ns, prefix: '/kv', scope: undefined, kinds: [{ kind: 'kv', isNamed: true }] };
    return {
      begin: async () => (await watches.resync(range, { limit: 1000 })).cursor,
      read: async (cursor: string) => {
        const follower = watches.follow(range, cursor, wanted);
        return (await follower.next(clock.now())).changes.map(({ change }) => change.revision);
      },
    };
  }

  test('is told when changes behind its cursor may be gone, and not before', async () => {
    const { begin, read } = watchStores(one);
    await put(one.records, scope, '/kv/a', 1);
    const away = await begin();
    for (const value of [2, 3, 4]) {
      await put(one.records, scope, '/kv/a', value);
    }
    await one.compaction.cutOff(scope, 3);
    expect(await read(away)).toEqual([2, 3, 4]);

    clock.advance(2 * HOUR);
    await one.compaction.remove(scope, FOR_EVER);
    expect(await isCompacted(read(away))).toBe(true);
    const back = await begin();
    await put(other.records, scope, '/kv/a', 5);
    expect(await read(back)).toEqual([5]);

    clock.advance(2 * HOUR);
    expect(await read(back)).toEqual([5]);
  });

  test('is not told of a scope that it does not watch, or that nothing was cut off in since', async () => {
    const { begin, read } = watchStores(one);
    const elsewhere = { ...scope, ns: 'elsewhere' };
    const early = await begin();
    clock.advance(2 * HOUR);
    for (const value of [1, 2]) {
      await put(one.records, elsewhere, '/kv/a', value);
    }
    await one.compaction.cutOff(elsewhere, 2);
    expect(await read(early)).toEqual([]);
  });
});
