import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../../shared/platform/clock.ts';
import { type Scope, Watches, type WatchRange } from '../../../../shared/records/index.ts';
import { type CosmosFixture, startCosmos } from '../../cosmos-fixture.ts';
import { openProcess, put } from '../history-fixture.ts';

const MANY = 120;
const STORES = Array.from({ length: MANY }, (_, index) => `s${String(index).padStart(3, '0')}`);

let cosmos: CosmosFixture;
let reader: ReturnType<typeof openProcess>;
let writer: ReturnType<typeof openProcess>;
let watches: Watches;

beforeAll(async () => {
  cosmos = await startCosmos({ partitions: 4 });
  reader = openProcess(cosmos, systemClock);
  writer = openProcess(cosmos, systemClock);
  const { records, container } = reader;
  watches = new Watches({ records, container, clock: systemClock, maxHeld: 10, isVisible: () => true });
});

afterAll(async () => {
  await cosmos.stop();
});

it('shows many scopes as they were, however many of them change between two pages', async () => {
  const range = { ns: 'many', prefix: '/kv', scope: undefined, kinds: [{ kind: 'kv', isNamed: true }] };
  await putIntoAll('before');
  const shown = await resync(range, () => putIntoAll('meanwhile'));
  expect(shown.values).toEqual(Array(MANY).fill('before'));
  const follower = watches.follow(range, shown.cursor, { types: undefined, limit: 1000 });
  const { changes } = await follower.next(Date.now());
  expect(changes.map(({ scope }) => scope.name).sort()).toEqual(STORES);
  expect(new Set(changes.map(({ change }) => change.previous?.value))).toEqual(new Set(['before']));
});

it('shows one scope as it was, however much is written between two pages', async () => {
  const scope = scopeOf('large', 'a');
  const large = 'x'.repeat(250_000);
  for (const name of ['1', '2', '3']) {
    await put(writer.records, scope, `/kv/a/${name}`, name);
  }
  const range = { ns: 'large', prefix: '/kv/a', scope, kinds: [] };
  const shown = await resync(range, async () => {
    for (let count = 0; count < 10; count += 1) {
      await put(writer.records, scope, '/kv/a/3', `${large}${count}`);
    }
  });
  expect(shown).toEqual({ values: ['1', '2', '3'], cursor: '3' });
});

/** All pages, with something going on behind the first. */
async function resync(range: WatchRange, meanwhile: () => Promise<unknown>) {
  const first = await watches.resync(range, { limit: 2 });
  await meanwhile();
  const values = first.records.map(({ value }) => value);
  let { next, cursor } = first;
  while (next !== undefined) {
    const page = await watches.resync(range, { after: next, limit: 1000 });
    values.push(...page.records.map(({ value }) => value));
    ({ next, cursor } = page);
  }
  return { values, cursor };
}

async function putIntoAll(value: string): Promise<unknown> {
  return await Promise.all(
    STORES.map((name) => put(writer.records, scopeOf('many', name), `/kv/${name}/key`, value)),
  );
}

function scopeOf(ns: string, name: string): Scope {
  return { ns, kind: 'kv', name };
}
