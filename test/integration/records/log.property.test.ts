import type { Database } from '@azure/cosmos';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../shared/platform/clock.ts';
import { preconditionFailed, SkerryError } from '../../../shared/platform/errors.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import type { SnapshotLimits } from '../../../shared/records/log/scope-state.ts';
import { Records } from '../../../shared/records/records.ts';
import type { Scope } from '../../../shared/records/scope.ts';
import type { Decision } from '../../../shared/records/write.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { printedSeed, runs } from '../seeded-runs.ts';
import { injectFaults, LOST_ANSWERS } from './injected-faults.ts';
import { findViolations, foldHistory, type Observation, readHistory } from './log-history.ts';

const STORES = 3;
const KEYS = ['/kv/a', '/kv/b', '/kv/c/d', '/kv/e'];

/** One step of one client: what it writes, and on which condition. */
interface Step {
  readonly store: number;
  readonly key: string;
  readonly action: 'put' | 'delete';
  readonly condition: 'none' | 'must exist' | 'must be missing' | 'must be unchanged';
  readonly listsBefore: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  store: fc.nat(STORES - 1),
  key: fc.constantFrom(...KEYS),
  action: fc.constantFrom('put', 'put', 'put', 'delete'),
  condition: fc.constantFrom('none', 'none', 'must exist', 'must be missing', 'must be unchanged'),
  listsBefore: fc.boolean(),
});

/** Clients run side by side, each its steps one after another. */
const clients = fc.array(fc.array(step, { minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 12 });

let cosmos: CosmosFixture;
let observer: Database;
let runsSoFar = 0;

beforeAll(async () => {
  cosmos = await startCosmos({ faults: true, staleMs: 50 });
  observer = cosmos.connect();
});

afterAll(async () => {
  await cosmos.stop();
});

describe('the log, written by many clients over several stores', () => {
  const promise =
    'has no gaps, exact previous values, only reads of what stood then, each write at most once and each acknowledged one exactly once, and refuses nothing that a strong read would not have';

  it(promise, async () => {
    await checkHistories({}, runs(5, 400));
  });

  it(`${promise}, when connections drop before and after the commit`, async () => {
    await injectFaults(cosmos.server, LOST_ANSWERS);
    await checkHistories({}, runs(5, 400));
    await injectFaults(cosmos.server, []);
  });

  it(`${promise}, in a scope that is too large for memory`, async () => {
    await checkHistories({ snapshotLimits: { records: 1, bytes: 1_000_000 } }, runs(3, 200));
  });
});

async function checkHistories(options: { snapshotLimits?: SnapshotLimits }, numRuns: number): Promise<void> {
  const seed = printedSeed('log.property');
  const databases = Array.from({ length: STORES }, () => cosmos.connect());
  await fc.assert(
    fc.asyncProperty(clients, async (steps) => {
      runsSoFar += 1;
      const scope: Scope = { ns: 'default', kind: 'kv', name: `run${runsSoFar}` };
      const stores = databases.map((database) => openRecords(options, database));
      const observations = (
        await Promise.all(steps.map((own, client) => runClient(stores, scope, own, client)))
      ).flat();
      const history = await readHistory(openRecords({}, observer), scope);
      expect(findViolations(history, observations)).toEqual([]);
      for (const records of [...stores, openRecords(options, observer)]) {
        const listing = await records.list<string>(scope);
        expect(listing.revision).toBe(history.length);
        expect(listing.records).toEqual(foldHistory(history));
      }
    }),
    { seed, numRuns, endOnFailure: true },
  );
}

async function runClient(
  stores: Records[],
  scope: Scope,
  steps: Step[],
  client: number,
): Promise<Observation[]> {
  const observations: Observation[] = [];
  for (const [index, own] of steps.entries()) {
    const records = stores[own.store] as Records;
    const beforeRead = observations.at(-1)?.after ?? 0;
    observations.push(await runStep(records, scope, own, { actor: `client${client}:${index}`, beforeRead }));
  }
  return observations;
}

async function runStep(
  records: Records,
  scope: Scope,
  own: Step,
  { actor, beforeRead }: Pick<Observation, 'actor' | 'beforeRead'>,
): Promise<Observation> {
  if (own.listsBefore) {
    await records.list(scope);
  }
  const read = await records.get<string>(scope, own.key);
  const condition = conditionOf(own, read?.value);
  const before = await strongPosition(scope);
  const seen = { actor, key: own.key, readRevision: read?.revision ?? 0, beforeRead, condition, before };
  try {
    const commit = await records.commit<string>(scope, {
      key: own.key,
      actor,
      decide(current): Decision<string> {
        if (condition?.(current?.value) === false) {
          throw preconditionFailed('The condition does not hold.');
        }
        return own.action === 'put' ? { type: 'put', value: actor } : { type: 'delete' };
      },
    });
    return { ...seen, outcome: 'committed', revision: commit.revision, after: await strongPosition(scope) };
  } catch (error) {
    if (!(error instanceof SkerryError)) {
      throw error;
    }
    const outcome = error.kind === 'precondition-failed' ? 'refused' : 'unknown';
    return { ...seen, outcome, after: await strongPosition(scope) };
  }
}

function conditionOf(own: Step, seenValue: string | undefined): Observation['condition'] {
  switch (own.condition) {
    case 'none':
      return undefined;
    case 'must exist':
      return (value) => value !== undefined;
    case 'must be missing':
      return (value) => value === undefined;
    case 'must be unchanged':
      return (value) => value === seenValue;
  }
}

function openRecords(options: { snapshotLimits?: SnapshotLimits }, database: Database): Records {
  const container = database.container(COSMOS_CONTAINERS.records.id);
  return new Records({ container, clock: systemClock, random: systemRandom, ...options });
}

/** The scope's newest revision by a query of the test's own. */
async function strongPosition(scope: Scope): Promise<number> {
  const container = observer.container(COSMOS_CONTAINERS.records.id);
  const { resources } = await container.items
    .query<number>(
      { query: "SELECT TOP 1 VALUE c.revision FROM c WHERE c.type = 'change' ORDER BY c.revision DESC" },
      { partitionKey: `${scope.ns}:${scope.kind}:${scope.name}` },
    )
    .fetchAll();
  return resources[0] ?? 0;
}
