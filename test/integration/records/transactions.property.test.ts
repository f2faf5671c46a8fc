import type { Database } from '@azure/cosmos';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../shared/platform/clock.ts';
import { preconditionFailed, SkerryError } from '../../../shared/platform/errors.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Change, recordAfter, type StoredRecord } from '../../../shared/records/change.ts';
import { isLapsed } from '../../../shared/records/leases/expiry.ts';
import { Leases } from '../../../shared/records/leases/leases.ts';
import { SessionLeases } from '../../../shared/records/leases/session-leases.ts';
import type { SnapshotLimits } from '../../../shared/records/log/scope-state.ts';
import { Records } from '../../../shared/records/records.ts';
import type { Scope } from '../../../shared/records/scope.ts';
import type { CommitSet, Decision, Decisions } from '../../../shared/records/write.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { printedSeed, runs } from '../seeded-runs.ts';
import { injectFaults, LOST_ANSWERS } from './injected-faults.ts';
import { findViolations, readHistory } from './log-history.ts';

const STORES = 3;
const KEYS = ['/kv/s/a', '/kv/s/b', '/kv/s/c', '/kv/s/d/e'];

/** What a step does to a key; a ttl is in milliseconds of the test's own clock. */
interface Action {
  readonly key: string;
  readonly type: 'put' | 'put with ttl' | 'put with lease' | 'delete' | 'keep';
}

interface Step {
  readonly store: number;
  readonly actions: readonly Action[];
  /** Refuses unless this key has a record. */
  readonly required: string | undefined;
  readonly listsBefore: boolean;
  readonly sweepsBefore: boolean;
  /** By how much the step moves the clock, in milliseconds. */
  readonly passes: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  store: fc.nat(STORES - 1),
  actions: fc.uniqueArray(
    fc.record({
      key: fc.constantFrom(...KEYS),
      type: fc.constantFrom<Action['type']>('put', 'put', 'put with ttl', 'put with lease', 'delete', 'keep'),
    }),
    { selector: ({ key }) => key, minLength: 1, maxLength: KEYS.length },
  ),
  required: fc.option(fc.constantFrom(...KEYS), { nil: undefined, freq: 3 }),
  listsBefore: fc.boolean(),
  sweepsBefore: fc.integer({ min: 0, max: 9 }).map((die) => die === 0),
  passes: fc.constantFrom(0, 0, 1, 5, 20),
});

const TTL = 15;
/** Seconds, so that it outlasts the test: how leases end is tested beside it. */
const LEASE_TTL = 86_400;

/** Clients run side by side, each its steps one after another. */
const clients = fc.array(fc.array(step, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 8 });

type State = ReadonlyMap<string, StoredRecord<string>>;

/** What a transaction decided on, given back by the log with the outcome. */
interface Decided extends Decisions<string> {
  readonly seen: State;
  readonly now: number;
}

interface Observation {
  readonly actor: string;
  readonly step: Step;
  /** Absent where it was refused, or nobody knows whether it stands. */
  readonly outcome?: CommitSet<string, Decided>;
  readonly refused?: Decided | undefined;
  /** Revisions of the scope before it was sent and after its answer. */
  readonly before: number;
  readonly after: number;
}

/** Moved by the steps alone, so that a decision knows the very time that the log decided by. */
let now = 0;
const clock: Clock = { now: () => now, sleep: (milliseconds) => systemClock.sleep(milliseconds) };

let cosmos: CosmosFixture;
let observer: Records;
/** Of the run's scope. */
let lease = '';
let runsSoFar = 0;

beforeAll(async () => {
  cosmos = await startCosmos({ faults: true, staleMs: 50 });
  observer = openRecords({}, cosmos.connect());
});

afterAll(async () => {
  await cosmos.stop();
});

describe('transactions over keys that lapse, by many clients over several stores', () => {
  const promise =
    'stand as a whole, once and in order, decided on the state before them, and nobody sees what has lapsed';

  it(promise, async () => {
    await checkHistories({}, runs(4, 400));
  });

  it(`${promise}, when connections drop before and after the commit`, async () => {
    await injectFaults(cosmos.server, LOST_ANSWERS);
    await checkHistories({}, runs(4, 400));
    await injectFaults(cosmos.server, []);
  });

  it(`${promise}, in a scope that is too large for memory`, async () => {
    await checkHistories({ snapshotLimits: { records: 1, bytes: 1_000_000 } }, runs(2, 200));
  });
});

async function checkHistories(options: { snapshotLimits?: SnapshotLimits }, numRuns: number): Promise<void> {
  const seed = printedSeed('transactions.property');
  const databases = Array.from({ length: STORES }, () => cosmos.connect());
  await fc.assert(
    fc.asyncProperty(clients, async (steps) => {
      runsSoFar += 1;
      const scope: Scope = { ns: 'default', kind: 'kv', name: `run${runsSoFar}` };
      const stores = databases.map((database) => openRecords(options, database));
      ({ id: lease } = await openSessions(databases[0] as Database).grant(scope, LEASE_TTL));
      const observations = (
        await Promise.all(steps.map((own, client) => runClient(stores, scope, own, client)))
      ).flat();
      const history = await readHistory(observer, scope);
      expect(findViolations(history, [])).toEqual([]);
      checkExpiries(history);
      for (const seen of observations) {
        checkObservation(seen, history);
      }
      await checkReaders(stores, scope, history);
    }),
    { seed, numRuns, endOnFailure: true },
  );
}

async function runClient(
  stores: readonly Records[],
  scope: Scope,
  steps: readonly Step[],
  client: number,
): Promise<Observation[]> {
  const observations: Observation[] = [];
  for (const [index, own] of steps.entries()) {
    now += own.passes;
    const records = stores[own.store] as Records;
    if (own.listsBefore) {
      const startedAt = now;
      const listing = await records.list<string>(scope);
      expect(listing.records.filter((record) => isLapsed(record, startedAt))).toEqual([]);
    }
    if (own.sweepsBefore) {
      await records.expireLapsed(100);
    }
    observations.push(await runStep(records, scope, own, `client${client}:${index}`));
  }
  return observations;
}

async function runStep(records: Records, scope: Scope, own: Step, actor: string): Promise<Observation> {
  const before = await observer.position(scope);
  let refused: Decided | undefined;
  try {
    const outcome = await records.transact(scope, {
      keys: KEYS,
      actor,
      decide(seen: State): Decided {
        const writes = own.actions.map(({ key, type }) => ({ key, decision: decisionOf(type, actor) }));
        const decided = { writes, seen, now };
        if (own.required !== undefined && !seen.has(own.required)) {
          refused = decided;
          throw preconditionFailed('The condition does not hold.');
        }
        return decided;
      },
    });
    return { actor, step: own, outcome, before, after: await observer.position(scope) };
  } catch (error) {
    if (!(error instanceof SkerryError)) {
      throw error;
    }
    const wasRefused = error.kind === 'precondition-failed';
    return {
      actor,
      step: own,
      refused: wasRefused ? refused : undefined,
      before,
      after: await observer.position(scope),
    };
  }
}

function decisionOf(type: Action['type'], actor: string): Decision<string> {
  switch (type) {
    case 'put':
      return { type: 'put', value: actor };
    case 'put with ttl':
      return { type: 'put', value: actor, expiresAt: now + TTL };
    case 'put with lease':
      return { type: 'put', value: actor, lease };
    case 'delete':
    case 'keep':
      return { type };
  }
}

/** What has lapsed is written over only after its `expire` change, and nothing expires before its time. */
function checkExpiries(history: readonly Change<string>[]): void {
  for (const { type, previous, value, at, transaction, revision } of history) {
    const wasLapsed = previous !== undefined && isLapsed(previous, Date.parse(at));
    expect({ revision, wasLapsed }).toEqual({ revision, wasLapsed: type === 'expire' });
    if (type === 'expire') {
      expect([value, transaction]).toEqual([undefined, undefined]);
    }
  }
}

function checkObservation(seen: Observation, history: readonly Change<string>[]): void {
  const { actor, step: own, outcome, refused } = seen;
  const standing = history.filter((change) => change.actor === actor);
  const wanted = own.actions.filter(({ type }) => type !== 'keep');
  if (standing.length > 0) {
    expect(standing.map(({ key, type }) => [key, type])).toEqual(
      wanted.map(({ key, type }) => [key, type === 'delete' ? 'delete' : 'put']),
    );
    const first = standing[0]?.revision ?? 0;
    const last = standing.at(-1)?.revision;
    expect(standing.map((change) => change.revision)).toEqual(wanted.map((_, index) => first + index));
    const transaction = wanted.length > 1 ? { first, last } : undefined;
    expect(standing.map((change) => change.transaction)).toEqual(wanted.map(() => transaction));
  }
  if (refused !== undefined) {
    expect(standing).toEqual([]);
    expect(stoodAtSomeTime(refused, seen, history)).toBe(true);
  } else if (outcome !== undefined) {
    expect(standing.length).toBe(wanted.length);
    checkOutcome(outcome, standing, history);
  }
}

function checkOutcome(
  outcome: CommitSet<string, Decided>,
  standing: readonly Change<string>[],
  history: readonly Change<string>[],
): void {
  const { decided, commits, revision } = outcome;
  const first = standing[0];
  const base = first === undefined ? revision : first.revision - 1;
  expect(decided.seen).toEqual(stateAt(history, base, decided.now));
  expect(revision).toBe(standing.at(-1)?.revision ?? base);
  expect(standing.every(({ at }) => Date.parse(at) === decided.now)).toBe(true);
  for (const [key, commit] of commits) {
    const change = standing.find((one) => one.key === key);
    const kept = decided.seen.get(key);
    expect(commit).toEqual(
      change === undefined
        ? { changed: false, revision: kept?.revision ?? 0, record: kept, previous: kept }
        : {
            changed: true,
            revision: change.revision,
            record: recordAfter(change),
            previous: change.previous,
          },
    );
  }
}

function stoodAtSomeTime(
  { seen, now: at }: Decided,
  { before, after }: Observation,
  history: readonly Change<string>[],
): boolean {
  for (let revision = before; revision <= after; revision += 1) {
    if (JSON.stringify([...stateAt(history, revision, at)]) === JSON.stringify([...seen])) {
      return true;
    }
  }
  return false;
}

/** The records after the first `revision` changes that had not lapsed at a time, in the order of `KEYS`. */
function stateAt(history: readonly Change<string>[], revision: number, at: number): State {
  const state = new Map<string, StoredRecord<string>>();
  for (const key of KEYS) {
    const change = history.slice(0, revision).findLast((one) => one.key === key);
    const record = change && recordAfter(change);
    if (record !== undefined && !isLapsed(record, at)) {
      state.set(key, record);
    }
  }
  return state;
}

/** Everybody reads the same afterwards, before and after a sweep, which leaves nothing to be swept. */
async function checkReaders(
  stores: readonly Records[],
  scope: Scope,
  history: readonly Change<string>[],
): Promise<void> {
  const expected = [...stateAt(history, history.length, now).values()];
  for (const records of stores) {
    const listing = await records.list<string>(scope);
    expect(listing.records).toEqual(expected);
    expect(listing.revision).toBe(history.length);
    const got = await Promise.all(KEYS.map((key) => records.get<string>(scope, key)));
    expect(got.filter((record) => record !== undefined)).toEqual(expected);
  }
  const { failed } = await observer.expireLapsed(1000);
  expect(failed.filter(({ error }) => !(error instanceof SkerryError))).toEqual([]);
  const swept = await readHistory(observer, scope);
  expect(findViolations(swept, [])).toEqual([]);
  checkExpiries(swept);
  if (failed.length === 0) {
    const listing = await (stores[0] as Records).list<string>(scope);
    expect(listing).toMatchObject({ records: expected, hidesLapsed: false, revision: swept.length });
  }
}

function openRecords(options: { snapshotLimits?: SnapshotLimits }, database: Database): Records {
  const container = database.container(COSMOS_CONTAINERS.records.id);
  return new Records({
    container,
    clock,
    random: systemRandom,
    sessions: openSessions(database),
    ...options,
  });
}

function openSessions(database: Database): SessionLeases {
  const container = database.container(COSMOS_CONTAINERS.leases.id);
  return new SessionLeases(new Leases({ container, clock }), clock, systemRandom);
}
