import type { Container } from '@azure/cosmos';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Decision, type Json, Leases, Records, SessionLeases } from '../../../shared/records/index.ts';
import { type Finding, Search, type SearchRequest } from '../../../shared/search/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { ShiftedClock } from '../records/history-fixture.ts';
import { printedSeed, runs } from '../seeded-runs.ts';

const WORDS = ['web', 'Web-Front', 'database', 'Straße', 'ΟΔΟΣ', 'a"]; drop', '.*', 'prod', 'WEB web'];
const QUESTIONS = [
  'web',
  'WEB',
  'e',
  'ß',
  'οδοσ',
  '"]; d',
  '.*',
  'prod',
  '-f',
  'b w',
  'no such',
  'team:web',
  ' ',
];

interface Place {
  readonly scope: string;
  readonly name: string;
  readonly key: string;
  readonly kind: string | undefined;
  readonly id: string;
}

/** One key of each kind that is found, and of some that are not. */
const PLACES: readonly Place[] = [
  { scope: 'app', name: '', key: '/app/web', kind: 'app', id: 'web' },
  { scope: 'app', name: '', key: '/app/prod', kind: 'app', id: 'prod' },
  { scope: 'kv', name: 'store', key: '/kv/store/a/web', kind: 'key', id: 'store/a/web' },
  { scope: 'env', name: 'prod', key: '/env/prod', kind: 'environment', id: 'prod' },
  { scope: 'env', name: 'prod', key: '/env/prod/resources/t.web', kind: 'resource', id: 'prod/t.web' },
  { scope: 'env', name: 'prod', key: '/env/prod/groups/t.g', kind: 'resource-group', id: 'prod/t.g' },
  { scope: 'env', name: 'prod', key: '/env/prod/work', kind: undefined, id: '' },
  { scope: 'tpl', name: '', key: '/tpl/web', kind: 'template', id: 'web' },
  { scope: 'bundle', name: 'web', key: '/bundle/web', kind: 'bundle', id: 'web' },
  { scope: 'bundle', name: 'web', key: '/bundle/web/channels/prod', kind: 'channel', id: 'web/prod' },
  { scope: 'op', name: 'op_1', key: '/op/op_1', kind: 'operation', id: 'op_1' },
  { scope: 'op', name: 'op_1', key: '/op/op_1/steps/web', kind: undefined, id: '' },
  { scope: 'hook', name: '', key: '/hook/sub_web', kind: undefined, id: '' },
];

const word = fc.constantFrom(...WORDS);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      place: fc.constantFrom(...PLACES),
      process: fc.nat(1),
      act: fc.constantFrom('put', 'put', 'put', 'delete'),
      name: fc.option(word, { nil: undefined }),
      description: fc.option(word, { nil: undefined }),
      tag: fc.option(word, { nil: undefined }),
      texts: fc.array(word, { maxLength: 2 }),
      lasts: fc.constantFrom(undefined, undefined, undefined, 5_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      process: fc.nat(1),
      text: fc.constantFrom(...QUESTIONS),
      only: fc.option(fc.constantFrom('app', 'key', 'environment'), { nil: undefined }),
      tag: fc.constantFrom(undefined, undefined, 'team', 'team:web'),
      limit: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.constantFrom(6, 6, 700) }),
  },
);

interface Kept {
  readonly place: Place;
  readonly value: {
    readonly name?: string;
    readonly description?: string;
    readonly tags?: readonly { readonly name: string; readonly value: string }[];
    readonly texts: readonly string[];
  };
  readonly endsAt: number;
}

/** By the words of docs/api.md, without any index. */
function scan(
  kept: Iterable<Kept>,
  { text = '', kinds, tags = [] }: Omit<SearchRequest, 'limit'>,
  now: number,
): [string, number][] {
  const same = (one: string) => one.normalize('NFKC').toLowerCase().replace(/ς/g, 'σ');
  const wanted = same(text).trim();
  const found: [string, number][] = [];
  for (const {
    place: { key, kind, id },
    value,
    endsAt,
  } of kept) {
    const holdsKeys = kind === 'key' || kind === 'app';
    const shownTags = holdsKeys ? [] : (value.tags ?? []).map(({ name, value: of }) => `${name}:${of}`);
    const hasTags = tags.every((tag) => shownTags.some((one) => one === tag || one.split(':')[0] === tag));
    if (
      kind === undefined ||
      endsAt <= now ||
      !hasTags ||
      (kinds !== undefined && !kinds.includes(kind as never))
    )
      continue;
    const { name, description, texts } = value;
    const names = [id, id.split('/').at(-1) ?? '', ...(name === undefined || holdsKeys ? [] : [name])].map(
      same,
    );
    const others = holdsKeys && name !== undefined ? [name] : [];
    const rest = holdsKeys
      ? [
          ...others,
          ...(description === undefined ? [] : [description]),
          ...(value.tags ?? []).flatMap((tag) => [tag.name, tag.value]),
          ...texts,
        ]
      : texts;
    const includes = (one: string) => same(one).includes(wanted);
    const score =
      wanted === ''
        ? 0
        : names.includes(wanted)
          ? 6
          : names.some((one) => one.startsWith(wanted))
            ? 5
            : names.some(includes)
              ? 4
              : shownTags.some(includes)
                ? 3
                : !holdsKeys && description !== undefined && includes(description)
                  ? 2
                  : rest.some(includes)
                    ? 1
                    : undefined;
    if (score !== undefined) found.push([key, score]);
  }
  return found.sort((one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1));
}

let cosmos: CosmosFixture;
let samples = 0;

beforeAll(async () => {
  cosmos = await startCosmos({ partitions: 2 });
});

afterAll(async () => {
  await cosmos.stop();
});

function openProcess(clock: ShiftedClock, maxIndexBytes?: number) {
  const database = cosmos.connect();
  const container = database.container(COSMOS_CONTAINERS.records.id);
  const leases = new Leases({ container: database.container(COSMOS_CONTAINERS.leases.id), clock });
  const sessions = new SessionLeases(leases, clock, systemRandom);
  const records = new Records({ container, clock, random: systemRandom, sessions });
  const search = new Search({
    records,
    container,
    clock,
    ...(maxIndexBytes !== undefined && { maxIndexBytes }),
  });
  return { records, search, sessions };
}

async function write(
  records: Records,
  ns: string,
  { scope, name, key }: Pick<Place, 'scope' | 'name' | 'key'>,
  decision: Decision<Json>,
) {
  await records.commit<Json>({ ns, kind: scope, name }, { key, actor: 'test', decide: () => decision });
}

async function findAll(search: Search, ns: string, request: SearchRequest): Promise<Finding[]> {
  const all: Finding[] = [];
  let after: string | undefined;
  do {
    const page = await search.find(ns, { ...request, after });
    expect(page.items.length).toBeLessThanOrEqual(request.limit);
    all.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  return all;
}

/** A container whose queries answer with what they found before `gate`, and tell when they have. */
function heldAfter(container: Container, tell: () => void, gate: Promise<void>): Container {
  const items: Container['items'] = Object.create(container.items, {
    query: {
      value: (...given: Parameters<Container['items']['query']>) => {
        const pages = container.items.query(...given);
        return {
          hasMoreResults: () => pages.hasMoreResults(),
          async fetchNext() {
            const page = await pages.fetchNext();
            tell();
            await gate;
            return page;
          },
        };
      },
    },
  });
  return Object.create(container, { items: { value: items } });
}

describe('search', () => {
  it('finds what a scan of everything would, right after each write of any process', async () => {
    const clock = new ShiftedClock();
    const processes = [openProcess(clock), openProcess(clock)] as const;
    const processOf = (number: number) => processes[number === 0 ? 0 : 1];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 24, size: 'max' }), async (steps) => {
        samples += 1;
        const ns = `n${samples}`;
        const kept = new Map<string, Kept>();
        const check = async (process: number, question: Omit<SearchRequest, 'limit'>, limit: number) => {
          const found = await findAll(processOf(process).search, ns, { ...question, limit });
          const expected = scan(kept.values(), question, clock.now());
          expect(found.map(({ key, score }) => [key, score])).toEqual(expected);
        };
        for (const taken of steps) {
          if (taken.kind === 'wait') {
            clock.advance(1000 * taken.seconds);
          } else if (taken.kind === 'ask') {
            const question = {
              text: taken.text,
              ...(taken.only && { kinds: [taken.only as 'app'] }),
              ...(taken.tag && { tags: [taken.tag] }),
            };
            await check(taken.process, question, taken.limit);
          } else {
            const { place, process, act, name, description, tag, texts, lasts } = taken;
            kept.delete(place.key);
            if (act === 'delete') {
              await write(processOf(process).records, ns, place, { type: 'delete' });
              continue;
            }
            const value = {
              ...(name && { name }),
              ...(description && { description }),
              ...(tag && { tags: [{ name: 'team', value: tag }] }),
              texts,
            };
            const endsAt = lasts === undefined ? undefined : clock.now() + lasts;
            const stored: Json =
              place.kind === 'app' ? { config: value, schema: { title: 'no such' } } : value;
            await write(processOf(process).records, ns, place, {
              type: 'put',
              value: stored,
              ...(endsAt !== undefined && { expiresAt: endsAt }),
            });
            kept.set(place.key, { place, value, endsAt: endsAt ?? Number.POSITIVE_INFINITY });
          }
        }
        clock.advance(4_000);
        for (const [number, text] of QUESTIONS.entries()) await check(number % 2, { text }, 2);
      }),
      { numRuns: runs(6, 200), seed: printedSeed('search') },
    );
  });

  it('finds what is written while the records are read for the index', async () => {
    const clock = new ShiftedClock();
    const writer = openProcess(clock);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let reads = 0;
    const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
    const asker = new Search({
      records: writer.records,
      container: heldAfter(container, () => (reads += 1), gate),
      clock,
    });
    const put = (id: string, name: string) =>
      write(
        writer.records,
        'busy',
        { scope: 'env', name: id, key: `/env/${id}` },
        { type: 'put', value: { name } },
      );
    // Of several scopes, because each physical partition has a page of its own, and only the first one is held.
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const name of names) await put(`changed-${name}`, 'old thing');
    for (const name of names) await put(`removed-${name}`, 'old thing');
    const asked = asker.find('busy', { text: 'thing', limit: 99 });
    await vi.waitFor(() => expect(reads).toBe(1), { timeout: 45_000, interval: 5 });
    for (const name of names) {
      await put(`changed-${name}`, 'new thing');
      await put(`added-${name}`, 'new thing');
      const removed = { scope: 'env', name: `removed-${name}`, key: `/env/removed-${name}` };
      await write(writer.records, 'busy', removed, { type: 'delete' });
    }
    // It reads the feed before it comes to its own records.
    const other = asker.find('other', { text: 'thing', limit: 9 });
    await vi.waitFor(() => expect(reads).toBe(2), { timeout: 45_000, interval: 5 });
    open();
    const expected = ['added', 'changed'].flatMap((what) =>
      names.map((name) => [`${what}-${name}`, 'new thing']),
    );
    for (const { items } of [await asked, await asker.find('busy', { text: 'thing', limit: 99 })]) {
      expect(items.map(({ id, name }) => [id, name])).toEqual(expected);
    }
    expect((await other).items).toEqual([]);
  });

  it('finds what others wrote while nobody asked for long', async () => {
    const clock = new ShiftedClock();
    const [writer, asker] = [openProcess(clock), openProcess(clock)];
    const put = (key: string) =>
      write(
        writer.records,
        'quiet',
        { scope: 'app', name: '', key },
        { type: 'put', value: { config: 'quiet' } },
      );
    await put('/app/one');
    const find = async () =>
      (await asker.search.find('quiet', { text: 'quiet', limit: 9 })).items.map(({ id }) => id);
    expect(await find()).toEqual(['one']);
    await put('/app/two');
    clock.advance(700_000);
    expect(await find()).toEqual(['one', 'two']);
  });

  it('finds a service as long as it has instances, and a key as long as its session lives', async () => {
    const clock = new ShiftedClock();
    const { records, search, sessions } = openProcess(clock);
    const kindsOf = async (text: string) =>
      (await search.find('life', { text, limit: 9 })).items.map(({ kind, id }) => `${kind} ${id}`);
    const instance = (id: string) => ({ scope: 'srv', name: 'shop', key: `/srv/shop/${id}` });
    const value = { endpoints: { http: 'http://10.0.0.1' }, tags: ['team:web'] };
    await write(records, 'life', instance('one'), { type: 'put', value });
    await write(records, 'life', instance('two'), { type: 'put', value });
    await write(records, 'life', instance('two'), { type: 'put', value: { ...value, zone: 'eu' } });
    expect(await kindsOf('shop')).toEqual(['service shop', 'instance shop/one', 'instance shop/two']);
    await write(records, 'life', instance('one'), { type: 'delete' });
    expect(await kindsOf('shop')).toEqual(['service shop', 'instance shop/two']);
    await write(records, 'life', instance('two'), { type: 'delete' });
    expect(await kindsOf('shop')).toEqual([]);

    const scope = { ns: 'life', kind: 'kv', name: 'store' };
    const lease = await sessions.grant(scope, 10);
    await write(
      records,
      'life',
      { scope: 'kv', name: 'store', key: '/kv/store/mine' },
      { type: 'put', value: 'held', lease: lease.id },
    );
    expect(await kindsOf('held')).toEqual(['key store/mine']);
    clock.advance(60_000);
    expect(await kindsOf('held')).toEqual([]);
  });

  it('says so where it holds no more, and forgets nothing that it says it has', async () => {
    const clock = new ShiftedClock();
    const { records, search } = openProcess(clock, 6_000);
    const place = (number: number) => ({ scope: 'app', name: '', key: `/app/app${number}` });
    for (let number = 0; number < 5; number += 1) {
      await write(records, 'small', place(number), { type: 'put', value: { config: 'text' } });
    }
    expect(await search.find('small', { text: 'app', limit: 100 })).not.toHaveProperty('incomplete');
    for (let number = 5; number < 30; number += 1) {
      await write(records, 'small', place(number), { type: 'put', value: { config: 'text' } });
    }
    const { items, incomplete } = await search.find('small', { text: 'app', limit: 100 });
    expect(incomplete).toBe(true);
    expect(items.length).toBeGreaterThan(5);
    expect(items.length).toBeLessThan(30);
  });
});
