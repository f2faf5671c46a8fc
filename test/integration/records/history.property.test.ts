import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SkerryError } from '../../../shared/platform/errors.ts';
import type { Change, Records, Scope, StoredRecord } from '../../../shared/records/index.ts';
import { isUnder } from '../../../shared/records/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { printedSeed, runs } from '../seeded-runs.ts';
import { HOUR, openProcess, put, remove, ShiftedClock } from './history-fixture.ts';
import { foldHistory } from './log-history.ts';

const KEYS = ['/kv/s/a', '/kv/s/a/', '/kv/s/a/b', '/kv/s/a-b', '/kv/s/b', '/kv/s/c/d'];
const PREFIXES = [undefined, '/kv/s/a', '/kv/s/a/', '/kv/s/c'];
const ORDERS = ['ascending', 'descending'] as const;
type KeyOrder = (typeof ORDERS)[number];

interface WriteStep {
  readonly kind: 'write';
  readonly process: number;
  readonly key: string;
  readonly isPut: boolean;
}

type Step =
  | WriteStep
  | {
      readonly kind: 'look';
      readonly process: number;
      readonly lists: boolean;
      readonly share: number;
      readonly order: KeyOrder;
    }
  | {
      readonly kind: 'page';
      readonly order: KeyOrder;
      readonly prefix: string | undefined;
      readonly meanwhile: WriteStep;
    }
  | {
      readonly kind: 'compact';
      readonly share: number;
      readonly order: KeyOrder;
      readonly removes: boolean;
      readonly meanwhile: boolean;
    };

const write = fc.record({
  kind: fc.constant('write' as const),
  process: fc.nat(2),
  key: fc.constantFrom(...KEYS),
  isPut: fc.constantFrom(true, true, false),
});
const look = fc.record({
  kind: fc.constant('look' as const),
  process: fc.nat(2),
  lists: fc.boolean(),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  order: fc.constantFrom(...ORDERS),
});
const page = fc.record({
  kind: fc.constant('page' as const),
  order: fc.constantFrom(...ORDERS),
  prefix: fc.constantFrom(...PREFIXES),
  meanwhile: write,
});
const compact = fc.record({
  kind: fc.constant('compact' as const),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  order: fc.constantFrom(...ORDERS),
  removes: fc.boolean(),
  meanwhile: fc.boolean(),
});
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { arbitrary: write, weight: 8 },
    { arbitrary: look, weight: 2 },
    { arbitrary: page, weight: 1 },
    { arbitrary: compact, weight: 1 },
  ),
  { minLength: 10, maxLength: 40, size: 'max' },
);

let cosmos: CosmosFixture;
let scopes = 0;

beforeAll(async () => {
  cosmos = await startCosmos();
});

afterAll(async () => {
  await cosmos.stop();
});

describe('the past of a scope', () => {
  it('is told as it was or not at all, and compaction takes nothing that lives', async () => {
    const clock = new ShiftedClock();
    const processes = [
      openProcess(cosmos, clock),
      openProcess(cosmos, clock),
      openProcess(cosmos, clock, { records: 1, bytes: 1_000_000 }),
    ];
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(...ORDERS), async (sequence, order) => {
        scopes += 1;
        const scope: Scope = { ns: 'default', kind: 'kv', name: `s${scopes}` };
        const history: Change<string>[] = [];
        const recordsOf = (process: number) => (processes[process] as (typeof processes)[number]).records;
        for (const step of sequence) {
          await takeStep(step, {
            scope,
            history,
            recordsOf,
            clock,
            ...(processes[0] as (typeof processes)[number]),
          });
        }
        for (const [process, { records }] of processes.entries()) {
          await lookEverywhere(records, scope, history, order);
          const own = history.filter(({ revision }) => revision % 6 === process);
          await Promise.all(own.map(({ revision }) => lookAt(records, scope, history, revision, order)));
        }
      }),
      { seed: printedSeed('history.property'), numRuns: runs(2, 300), endOnFailure: true },
    );
  });
});

interface World {
  readonly scope: Scope;
  /** Every change that was ever made. */
  readonly history: Change<string>[];
  readonly recordsOf: (process: number) => Records;
  readonly compaction: ReturnType<typeof openProcess>['compaction'];
  readonly clock: ShiftedClock;
}

async function takeStep(step: Step, world: World): Promise<void> {
  const { scope, history, recordsOf, compaction, clock } = world;
  const revision = Math.round(('share' in step ? step.share : 0) * history.length);
  switch (step.kind) {
    case 'write': {
      const records = recordsOf(step.process);
      const written = step.isPut
        ? await put(records, scope, step.key, `value ${history.length}`)
        : await remove(records, scope, step.key);
      expect(written).toBe(history.length + 1);
      const change = await records.readChange<string>(scope, written);
      history.push(change as Change<string>);
      return;
    }
    case 'look':
      if (step.lists) await recordsOf(step.process).list(scope);
      await lookAt(recordsOf(step.process), scope, history, revision, step.order);
      return;
    case 'page': {
      const expected = standing(history, step);
      // The last process holds no scope in memory, so that its pages all show one revision.
      const told = await listPages(recordsOf(2), scope, step, () => takeStep(step.meanwhile, world));
      expect(told).toEqual(expected);
      return;
    }
    case 'compact': {
      await compaction.cutOff(scope, revision);
      if (step.removes) clock.advance(2 * HOUR);
      const removal = compaction.remove(scope, Number.POSITIVE_INFINITY);
      const other = step.meanwhile ? compaction.remove(scope, Number.POSITIVE_INFINITY) : undefined;
      if (step.meanwhile) await lookAt(recordsOf(1), scope, history, revision, step.order);
      await Promise.all([removal, other]);
    }
  }
}

async function lookEverywhere(
  records: Records,
  scope: Scope,
  history: readonly Change<string>[],
  keyOrder: KeyOrder,
): Promise<void> {
  expect(await records.position(scope)).toBe(history.length);
  for (const prefix of PREFIXES) {
    const request = { prefix, order: keyOrder };
    expect(await listPages(records, scope, request)).toEqual(standing(history, request));
  }
  const { compactedTo } = await records.head(scope);
  for (const order of ['oldest', 'newest'] as const) {
    for (const prefix of PREFIXES) {
      const told = await readPages(records, scope, { order, prefix });
      const kept = history.filter(
        ({ revision, key }) => revision > compactedTo && (prefix === undefined || isUnder(prefix, key)),
      );
      expect(told).toEqual(order === 'oldest' ? kept : kept.toReversed());
    }
  }
}

/** Looks at a revision by every way there is; what is not right has to be said to be gone, and only what may be gone. */
async function lookAt(
  records: Records,
  scope: Scope,
  history: readonly Change<string>[],
  revision: number,
  order: KeyOrder,
): Promise<void> {
  const expected = foldHistory(history, revision);
  const { compactedTo } = await records.head(scope);
  const check = async <Answer>(read: Promise<Answer>, right: Answer): Promise<void> => {
    try {
      expect(await read).toEqual(right);
    } catch (error) {
      if (!(error instanceof SkerryError && error.kind === 'compacted')) throw error;
      expect(error.extensions).toMatchObject({ resyncFrom: history.length });
      expect(error.extensions.compactedTo).toBeGreaterThan(revision);
      expect(compactedTo).toBeGreaterThan(revision);
    }
  };
  for (const key of KEYS) {
    await check(
      records.getAt<string>(scope, key, revision),
      expected.find((record) => record.key === key),
    );
  }
  for (const prefix of PREFIXES) {
    const request = { revision, prefix, order };
    await check(listPages(records, scope, request), standing(history, request));
  }
}

interface PageRequest {
  readonly prefix: string | undefined;
  readonly order: KeyOrder;
  readonly revision?: number;
}

/** What the pages of a listing have to show together. */
function standing(
  history: readonly Change<string>[],
  { prefix, order, revision }: PageRequest,
): StoredRecord<string>[] {
  const records = foldHistory(history, revision).filter(
    ({ key }) => prefix === undefined || isUnder(prefix, key),
  );
  return order === 'ascending' ? records : records.toReversed();
}

async function listPages(
  records: Records,
  scope: Scope,
  { prefix, order, revision }: PageRequest,
  meanwhile?: () => Promise<void>,
): Promise<StoredRecord<string>[]> {
  const found: StoredRecord<string>[] = [];
  let after: string | undefined;
  let shown = revision;
  do {
    const page = await records.list<string>(scope, { prefix, order, revision, after, limit: 2 });
    shown ??= page.revision;
    expect(page.revision).toBe(shown);
    found.push(...page.records);
    after = page.next;
    await meanwhile?.();
  } while (after !== undefined);
  return found;
}

async function readPages(
  records: Records,
  scope: Scope,
  request: { order: 'oldest' | 'newest'; prefix: string | undefined },
): Promise<Change<string>[]> {
  const found: Change<string>[] = [];
  let after: string | undefined;
  do {
    const page = await records.history<string>(scope, { ...request, after, limit: 4 });
    found.push(...page.changes);
    after = page.next;
  } while (after !== undefined);
  return found;
}
