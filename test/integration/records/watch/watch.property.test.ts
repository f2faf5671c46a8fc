import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../shared/platform/clock.ts';
import { SkerryError } from '../../../../shared/platform/errors.ts';
import { systemRandom } from '../../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../../shared/platform/topology.ts';
import type { ChangeType, StoredRecord } from '../../../../shared/records/change.ts';
import { Compaction } from '../../../../shared/records/history/compaction.ts';
import { LogStorage } from '../../../../shared/records/log/log-storage.ts';
import { Records } from '../../../../shared/records/records.ts';
import { type Scope, scopeId } from '../../../../shared/records/scope.ts';
import { type FoundChange, Watches, type WatchRange } from '../../../../shared/records/watch/index.ts';
import { type CosmosFixture, startCosmos } from '../../cosmos-fixture.ts';
import { printedSeed, runs } from '../../seeded-runs.ts';
import type { DeliveredAnswer, History, WatchReport } from './watch-report.ts';
import { WATCH_PROPERTIES } from './watch-validator.ts';

const PROCESSES = 3;
const STORES = ['a', 'b', 'c'];
const KEYS = ['x', 'x/1', 'x/1/deep', 'x-ray', 'y/1', 'z'];
const PREFIXES = ['/', '/kv', '/kv/', '/kv/a', '/kv/a/', '/kv/a/x', '/kv/a/x/', '/kv/b', '/kv/b/y'];
const DEADLINE = 20_000;

/** One write, by one of the processes. */
interface Step {
  readonly process: number;
  readonly store: string;
  readonly key: string;
  /** Compaction cuts off all that was written so far. */
  readonly action: 'put' | 'delete' | 'compact';
  /** Written with it in one transaction. */
  readonly others: readonly string[];
  readonly pause: number;
}

/** How somebody watches, and what befalls them. */
interface Watcher {
  readonly prefix: string;
  readonly types: readonly ChangeType[] | undefined;
  readonly limit: number;
  readonly beginsWith: 'resync' | 'revision';
  /** By turns: the process that is asked, and how. */
  readonly turns: readonly Turn[];
}

interface Turn {
  readonly process: number;
  readonly fate: 'none' | 'none' | 'answer lost' | 'asked twice' | 'slow';
  readonly wait: number;
}

interface Scenario {
  readonly writers: readonly (readonly Step[])[];
  readonly watchers: readonly Watcher[];
}

const step: fc.Arbitrary<Step> = fc.record({
  process: fc.nat(PROCESSES - 1),
  store: fc.constantFrom(...STORES),
  key: fc.constantFrom(...KEYS),
  action: fc.constantFrom('put', 'put', 'put', 'put', 'delete', 'compact'),
  others: fc.oneof(fc.constant([]), fc.subarray(KEYS)),
  pause: fc.constantFrom(0, 0, 0, 1, 5),
});

const turn: fc.Arbitrary<Turn> = fc.record({
  process: fc.nat(PROCESSES - 1),
  fate: fc.constantFrom('none', 'none', 'answer lost', 'asked twice', 'slow'),
  wait: fc.constantFrom(0, 10, 30),
});

const watcher: fc.Arbitrary<Watcher> = fc.record({
  prefix: fc.constantFrom(...PREFIXES),
  types: fc.constantFrom(undefined, undefined, ['put'] as const, ['delete'] as const),
  limit: fc.constantFrom(1, 2, 5, 1000),
  beginsWith: fc.constantFrom('resync', 'resync', 'revision'),
  turns: fc.array(turn, { minLength: 1, maxLength: 6 }),
});

const scenario: fc.Arbitrary<Scenario> = fc.record({
  writers: fc.array(fc.array(step, { minLength: 1, maxLength: 10 }), { minLength: 1, maxLength: 3 }),
  watchers: fc.array(watcher, { minLength: 1, maxLength: 3 }),
});

interface Process {
  readonly records: Records;
  readonly watches: Watches;
  readonly compaction: Compaction;
}

interface Run {
  readonly seed: string;
  readonly history: History;
  readonly reports: readonly WatchReport[];
}

let cosmos: CosmosFixture;
let processes: Process[];
const all: Run[] = [];

beforeAll(async () => {
  cosmos = await startCosmos({ partitions: 4 });
  processes = Array.from({ length: PROCESSES }, openProcess);
  const seed = printedSeed('watch.property');
  const scenarios = fc.sample(scenario, { seed, numRuns: runs(30, 5000) });
  for (let start = 0; start < scenarios.length; start += 10) {
    const group = scenarios.slice(start, start + 10);
    all.push(...(await Promise.all(group.map((own, index) => play(own, `run${start + index}`)))));
  }
}, 3_600_000);

afterAll(async () => {
  await cosmos.stop();
});

describe('a watch, over histories of several writers and processes', () => {
  for (const [property, findFaults] of Object.entries(WATCH_PROPERTIES)) {
    it(property, () => {
      for (const { history, reports } of all) {
        for (const report of reports) {
          expect(findFaults(report, history), JSON.stringify(report)).toEqual([]);
        }
      }
    });
  }

  it('delivers what there is to deliver', () => {
    const delivered = all.flatMap(({ reports }) =>
      reports.flatMap(({ answers }) => answers.flatMap(({ changes }) => changes)),
    );
    expect(delivered.length).toBeGreaterThan(all.length);
  });
});

async function play({ writers, watchers }: Scenario, ns: string): Promise<Run> {
  let isWritten = false;
  const writing = Promise.all(writers.map((steps, index) => write(ns, steps, `writer${index}`))).then(() => {
    isWritten = true;
  });
  const watching = Promise.all(watchers.map((own) => watch(ns, own, () => isWritten)));
  await writing;
  const reports = (await watching).flat();
  return { seed: ns, history: await readHistory(ns), reports };
}

async function write(ns: string, steps: readonly Step[], actor: string): Promise<void> {
  for (const { process, store, key, others, action, pause } of steps) {
    await sleep(pause);
    if (action === 'compact') {
      await compact(processes[process] as Process, scopeOf(ns, store));
      continue;
    }
    const keys = [...new Set([key, ...others])].map((name) => `/kv/${store}/${name}`);
    await processes[process]?.records.transact<string>(scopeOf(ns, store), {
      keys,
      actor,
      decide: (current) => ({
        writes: keys.map((own, index) => {
          const before = current.get(own);
          if (action === 'put' || index > 0) {
            return { key: own, decision: { type: 'put', value: `${actor} after ${before?.revision ?? 0}` } };
          }
          return { key: own, decision: { type: before === undefined ? 'keep' : 'delete' } };
        }),
      }),
    });
  }
}

async function compact({ records, compaction }: Process, scope: Scope): Promise<void> {
  const position = await records.position(scope);
  if (position > 0) {
    await compaction.cutOff(scope, position);
  }
}

/** Watches until all that was written is known to be delivered; begins again where history is gone. */
async function watch(ns: string, own: Watcher, isWritten: () => boolean): Promise<WatchReport[]> {
  const reports: WatchReport[] = [];
  for (let beginsWith = own.beginsWith; ; beginsWith = 'resync') {
    const { report, isCompacted } = await watchUntilCompacted(ns, { ...own, beginsWith }, isWritten);
    reports.push(report);
    if (!isCompacted) {
      return reports;
    }
  }
}

async function watchUntilCompacted(
  ns: string,
  own: Watcher,
  isWritten: () => boolean,
): Promise<{ report: WatchReport; isCompacted: boolean }> {
  const { prefix, types } = own;
  const range = rangeOf(ns, prefix);
  const start = await begin(range, own);
  const answers: DeliveredAnswer[] = [];
  const report = { ns, prefix, types, answers, ...start.report };
  const wanted = { types: own.types && new Set(own.types), limit: own.limit };
  let { cursor } = start;
  for (let count = 0, end = Date.now() + DEADLINE; Date.now() < end; count += 1) {
    const { process, fate, wait } = own.turns[count % own.turns.length] as Turn;
    const wasWritten = isWritten();
    const waits = wasWritten ? 0 : wait;
    // What is known in memory is answered without ever giving others their turn.
    await setImmediate();
    const asked = await ask(processes[process] as Process, range, cursor, wanted, waits);
    if (asked === 'compacted') {
      return { report, isCompacted: true };
    }
    if (fate === 'slow') {
      await sleep(15);
    }
    if (fate === 'answer lost' && !wasWritten) {
      continue;
    }
    const answer =
      fate === 'asked twice'
        ? await ask(processes[(process + 1) % PROCESSES] as Process, range, cursor, wanted, 0)
        : asked;
    if (answer === 'compacted') {
      return { report, isCompacted: true };
    }
    const isComplete = wasWritten && answer.changes.length === 0;
    answers.push({
      changes: answer.changes.map(toDelivered),
      ...(range.scope !== undefined && { revision: Number(answer.cursor) }),
      ...(isComplete && { isComplete }),
    });
    cursor = answer.cursor;
    if (isComplete) {
      return { report, isCompacted: false };
    }
  }
  throw new Error(`A watch of ${own.prefix} in ${ns} has not come to an end.`);
}

async function begin(
  range: WatchRange,
  own: Watcher,
): Promise<{ cursor: string; report: Partial<WatchReport> }> {
  if (own.beginsWith === 'revision' && range.scope !== undefined) {
    return { cursor: '0', report: { since: 0 } };
  }
  const resync: StoredRecord<unknown>[] = [];
  for (let after: string | undefined, count = 0; ; count += 1) {
    const { process, fate } = own.turns[count % own.turns.length] as Turn;
    const { watches } = processes[process] as Process;
    const page = await unlessCompacted(undefined, watches.resync(range, { after, limit: own.limit }));
    if (page === 'compacted') {
      resync.length = 0;
      after = undefined;
      continue;
    }
    resync.push(...page.records);
    after = page.next;
    if (after === undefined) {
      const revision = range.scope && { resyncRevision: Number(page.cursor) };
      return { cursor: page.cursor, report: { resync, ...revision } };
    }
    if (fate === 'slow') {
      await sleep(5);
    }
  }
}

async function ask(
  { watches }: Process,
  range: WatchRange,
  cursor: string,
  wanted: { types: ReadonlySet<ChangeType> | undefined; limit: number },
  wait: number,
) {
  const follower = watches.follow(range, cursor, wanted);
  try {
    return await unlessCompacted(range.scope && Number(cursor), follower.next(Date.now() + wait));
  } finally {
    follower.close();
  }
}

/** @param since the revision that is asked for, where it is known; what is behind it has to be gone. */
async function unlessCompacted<Answer>(
  since: number | undefined,
  asked: Promise<Answer>,
): Promise<Answer | 'compacted'> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof SkerryError) || error.kind !== 'compacted') {
      throw error;
    }
    const { compactedTo, resyncFrom } = error.extensions as { [name: string]: number };
    expect(compactedTo).toBeGreaterThan(since ?? 0);
    expect(resyncFrom).toBeGreaterThanOrEqual(compactedTo ?? 0);
    return 'compacted';
  }
}

function toDelivered({ scope, change }: FoundChange) {
  return { scope: scopeId(scope), ns: scope.ns, change };
}

function rangeOf(ns: string, prefix: string): WatchRange {
  const [, , store = ''] = prefix.split('/');
  const scope = store === '' ? undefined : scopeOf(ns, store);
  return { ns, prefix, scope, kinds: [{ kind: 'kv', isNamed: true }] };
}

function scopeOf(ns: string, store: string): Scope {
  return { ns, kind: 'kv', name: store };
}

async function readHistory(ns: string): Promise<History> {
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  const entries = STORES.map(async (store) => {
    const scope = scopeOf(ns, store);
    return [scopeId(scope), await new LogStorage(container, scope).readChangesAfter<unknown>(0)] as const;
  });
  return new Map(await Promise.all(entries));
}

function openProcess(): Process {
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  const records = new Records({ container, clock: systemClock, random: systemRandom });
  const isVisible = (scope: Scope) => scope.kind === 'kv';
  return {
    records,
    compaction: new Compaction({ container, clock: systemClock }),
    watches: new Watches({ records, container, clock: systemClock, maxHeld: 1000, isVisible }),
  };
}
