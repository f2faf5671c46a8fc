import { describe, expect, it } from 'vitest';
import { SkerryError } from '../../../../shared/platform/errors.ts';
import type { StoredRecord } from '../../../../shared/records/change.ts';
import { isLapsed } from '../../../../shared/records/leases/expiry.ts';
import { type KnownState, planBatch, type QueuedWrites } from '../../../../shared/records/log/batch-plan.ts';
import type { Decision } from '../../../../shared/records/write.ts';

const NOW = Date.parse('2026-01-01T00:00:00.000Z');
const AT = '2026-01-01T00:00:00.000Z';

function recordOf(key: string, value: string, expiresAt?: number): StoredRecord<string> {
  const record = { key, value, revision: 1, createdAt: AT, updatedAt: AT };
  return expiresAt === undefined ? record : { ...record, expiresAt };
}

function stateOf(...records: StoredRecord<string>[]): KnownState<string> {
  return {
    base: 10,
    records: new Map(records.map((record) => [record.key, record])),
    ranges: new Map(),
    now: NOW,
    isGone: (record) => isLapsed(record, NOW),
    newId: () => 'new',
  };
}

function queued(writeId: string, decisions: Record<string, Decision<string>>): QueuedWrites<string> {
  const writes = Object.entries(decisions).map(([key, decision]) => ({ key, decision }));
  return {
    writeId,
    writes: { keys: Object.keys(decisions), actor: writeId, decide: () => ({ writes }) },
  };
}

function puts(count: number, value = 'x'): Record<string, Decision<string>> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`/k${index}`, { type: 'put', value }]),
  );
}

function refusalsOf(plan: ReturnType<typeof planBatch<string, QueuedWrites<string>>>): unknown[] {
  return plan.verdicts.flatMap(({ answer }) => ('refusal' in answer ? [answer.refusal] : []));
}

describe('planBatch', () => {
  it('never splits a transaction: what has no room in the batch waits, and what comes after it too', () => {
    const waiting = [queued('one', puts(40)), queued('two', puts(10)), queued('three', puts(1))];
    const plan = planBatch(waiting, stateOf());
    expect(plan.changes.map(({ revision }) => revision)).toEqual(
      Array.from({ length: 40 }, (_, i) => 11 + i),
    );
    expect(new Set(plan.changes.map(({ writeId }) => writeId))).toEqual(new Set(['one']));
    expect(plan.changes[7]?.transaction).toEqual({ first: 11, last: 50 });
    expect(plan.verdicts).toEqual([]);
  });

  it('lets each transaction decide on what those before it leave behind', () => {
    const seen: unknown[] = [];
    const watching: QueuedWrites<string> = {
      writeId: 'two',
      writes: {
        keys: ['/k0', '/k1'],
        actor: 'two',
        decide(current) {
          seen.push(current.get('/k0')?.value, current.get('/k1')?.value);
          return { writes: [] };
        },
      },
    };
    const plan = planBatch([queued('one', { '/k0': { type: 'put', value: 'y' } }), watching], stateOf());
    expect(seen).toEqual(['y', undefined]);
    expect(plan.changes[0]).not.toHaveProperty('transaction');
    expect(plan.verdicts[0]?.answer).toMatchObject({ revision: 11 });
  });

  it('refuses 50 changes, and values that are too large together', () => {
    const many = refusalsOf(planBatch([queued('many', puts(50))], stateOf()));
    expect(many).toEqual([expect.objectContaining({ kind: 'unprocessable' })]);
    const large = refusalsOf(planBatch([queued('large', puts(5, 'x'.repeat(200_000)))], stateOf()));
    expect(large).toEqual([expect.objectContaining({ kind: 'too-large' })]);
    expect(large[0]).toBeInstanceOf(SkerryError);
  });

  it('puts down what has lapsed before it is written over, outside of the transaction', () => {
    const lapsed = recordOf('/k1', 'old', NOW);
    const plan = planBatch([queued('one', puts(2))], stateOf(recordOf('/k0', 'old'), lapsed));
    expect(plan.changes).toMatchObject([
      { revision: 11, key: '/k1', type: 'expire', previous: lapsed, actor: 'system:expiry', writeId: 'new' },
      {
        revision: 12,
        key: '/k0',
        type: 'put',
        previous: { value: 'old' },
        transaction: { first: 12, last: 13 },
      },
      { revision: 13, key: '/k1', type: 'put', transaction: { first: 12, last: 13 } },
    ]);
    expect(plan.changes[0]).not.toHaveProperty('transaction');
    expect(plan.changes[2]).not.toHaveProperty('previous');
  });

  it('writes nothing where the decision on what has lapsed is to keep or to refuse', () => {
    const refusing: QueuedWrites<string> = {
      writeId: 'two',
      writes: {
        keys: ['/k0'],
        actor: 'two',
        decide(current) {
          throw new Error(`refused on ${current.get('/k0')?.value}`);
        },
      },
    };
    const plan = planBatch(
      [queued('one', { '/k0': { type: 'keep' } }), refusing],
      stateOf(recordOf('/k0', 'old', NOW)),
    );
    expect(plan.changes).toEqual([]);
    expect(plan.verdicts[0]?.answer).toMatchObject({ revision: 10 });
    expect(refusalsOf(plan)).toEqual([new Error('refused on undefined')]);
  });

  it('takes a full transaction over lapsed keys in two batches, the expiries first', () => {
    const lapsed = Array.from({ length: 49 }, (_, index) => recordOf(`/k${index}`, 'old', NOW - 1));
    const waiting = [queued('full', puts(49)), queued('next', puts(1))];
    const first = planBatch(waiting, stateOf(...lapsed));
    expect(first.changes.map(({ type }) => type)).toEqual(Array(49).fill('expire'));
    expect([first.prospects, first.verdicts]).toEqual([[], []]);
    const second = planBatch(waiting, stateOf());
    expect(second.changes.map(({ writeId }) => writeId)).toEqual(Array(49).fill('full'));
  });

  it('expires by decision what has lapsed, and nothing where there is nothing', () => {
    const expiring = { '/k0': { type: 'expire' }, '/k1': { type: 'expire' } } as const;
    const plan = planBatch([queued('sweep', expiring)], stateOf(recordOf('/k0', 'old', NOW)));
    expect(plan.changes).toMatchObject([
      { key: '/k0', type: 'expire', actor: 'sweep', previous: { value: 'old' } },
    ]);
  });

  it('shows a range in key order with what was written into it, and leaves one to the next batch that may have lost its place', () => {
    const seen: (readonly string[])[] = [];
    const rangeOf = (limit: number): QueuedWrites<string> => ({
      writeId: 'range',
      writes: {
        keys: [],
        range: { prefix: '/k', limit },
        actor: 'range',
        decide(current) {
          seen.push([...current.keys()]);
          return { writes: [] };
        },
      },
    });
    const planOf = (limit: number, before: Record<string, Decision<string>>) => {
      const range = rangeOf(limit);
      const state = stateOf(recordOf('/k/1', 'x'), recordOf('/k/2', 'x', NOW + 1));
      const ranges = new Map([[range.writes.range ?? { prefix: '', limit }, ['/k/1', '/k/2']]]);
      return planBatch([queued('before', before), range], { ...state, ranges });
    };
    planOf(2, { '/k/0': { type: 'put', value: 'x' } });
    planOf(3, { '/k/1': { type: 'delete' } });
    expect(seen).toEqual([['/k/0', '/k/1', '/k/2'], ['/k/2']]);
    expect(planOf(2, { '/k/1': { type: 'delete' } }).verdicts, 'there may be a third').toEqual([]);
  });

  it('takes a key that is written twice, or was not named, for a fault', () => {
    const decision = { type: 'put', value: 'x' } as const;
    const twice: QueuedWrites<string> = {
      writeId: 'twice',
      writes: {
        keys: ['/a'],
        actor: 'a',
        decide: () => ({
          writes: [
            { key: '/a', decision },
            { key: '/a', decision },
          ],
        }),
      },
    };
    const unnamed: QueuedWrites<string> = {
      writeId: 'unnamed',
      writes: { keys: ['/a'], actor: 'a', decide: () => ({ writes: [{ key: '/b', decision }] }) },
    };
    expect(refusalsOf(planBatch([twice, unnamed], stateOf()))).toEqual([
      expect.any(Error),
      expect.any(Error),
    ]);
  });
});
