import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differenceOf } from '../../../client/cli/sync/difference.ts';
import { planBatches } from '../../../client/cli/sync/plan-batches.ts';
import type { Json } from '../../../client/index.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const content = fc
  .dictionary(fc.constantFrom(...'abcdefgh'), fc.jsonValue(), { noNullPrototype: true })
  .map((object) => new Map(Object.entries(object as Record<string, Json>)));

describe('the difference between two states of a store', () => {
  it('is what was removed with what it held, and what is changed or new (cn-infra, filedb: TestEvents)', () => {
    const old = new Map(
      ['1', '2', '3', '4', '5', '6'].map((n) => [`/path/to/key${n}`, { name: `old-${n}` }]),
    );
    const next = new Map<string, Json>([
      ...['1', '2'].map((n) => [`/path/to/key${n}`, { name: `old-${n}` }] as const),
      ...['3', '4', '7', '8'].map((n) => [`/path/to/key${n}`, { name: `new-${n}` }] as const),
    ]);
    expect(differenceOf(old, next)).toEqual({
      deletions: [
        { key: '/path/to/key5', previous: { name: 'old-5' } },
        { key: '/path/to/key6', previous: { name: 'old-6' } },
      ],
      puts: [
        { key: '/path/to/key3', value: { name: 'new-3' }, previous: { name: 'old-3' } },
        { key: '/path/to/key4', value: { name: 'new-4' }, previous: { name: 'old-4' } },
        { key: '/path/to/key7', value: { name: 'new-7' } },
        { key: '/path/to/key8', value: { name: 'new-8' } },
      ],
    });
  });

  it('knows null from nothing', () => {
    expect(differenceOf(new Map([['a', null]]), new Map([['a', 0]])).puts).toEqual([
      { key: 'a', value: 0, previous: null },
    ]);
    expect(differenceOf(new Map(), new Map([['a', null]])).puts).toEqual([{ key: 'a', value: null }]);
    expect(differenceOf(new Map([['a', null]]), new Map([['a', null]])).puts).toEqual([]);
  });

  it('leads from any state to any other, and touches nothing that is the same in both', () => {
    fc.assert(
      fc.property(content, content, (before, after) => {
        const state = new Map<string, Json>(before);
        const touched = new Set<string>();
        for (const operation of planBatches(differenceOf(before, after)).flat()) {
          if ('put' in operation) state.set(operation.put.key, operation.put.value as Json);
          if ('delete' in operation) expect(state.delete(operation.delete.key)).toBe(true);
          const { key } =
            'put' in operation ? operation.put : 'delete' in operation ? operation.delete : { key: '' };
          expect(touched.has(key)).toBe(false);
          touched.add(key);
        }
        expect(Object.fromEntries(state)).toEqual(Object.fromEntries(after));
        expect(planBatches(differenceOf(state, after))).toEqual([]);
      }),
      { seed: printedSeed('difference'), numRuns: runs(300, 10_000) },
    );
  });
});

describe('the transactions that a difference needs', () => {
  const puts = (count: number, size = 1) =>
    Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: 'x'.repeat(size) }));

  it('are none for nothing, and one for up to 49 writes', () => {
    expect(planBatches({ deletions: [], puts: [] })).toEqual([]);
    const deletions = [{ key: 'gone', previous: 1 }];
    const [batch = [], ...others] = planBatches({ deletions, puts: puts(48) });
    expect(others).toEqual([]);
    expect(batch).toHaveLength(49);
    expect(batch[0]).toEqual({ delete: { key: 'gone' } });
  });

  it('are several beyond that, or where one would be larger than Skerry takes', () => {
    expect(planBatches({ deletions: [], puts: puts(100) }).map((batch) => batch.length)).toEqual([49, 49, 2]);
    const large = puts(8, 100_000);
    expect(planBatches({ deletions: [], puts: large }).map((batch) => batch.length)).toEqual([6, 2]);
    const replaced = large.map((put) => ({ ...put, previous: put.value }));
    expect(planBatches({ deletions: [], puts: replaced }).map((batch) => batch.length)).toEqual([4, 4]);
    const largest = puts(3, 262_000).map((put) => ({ ...put, previous: put.value }));
    expect(planBatches({ deletions: [], puts: largest }).map((batch) => batch.length)).toEqual([1, 1, 1]);
  });
});
