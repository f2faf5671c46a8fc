import { describe, expect, it } from 'vitest';
import { type Change, recordAfter, type StoredRecord } from '../../../../shared/records/change.ts';
import type { Delivered, History, WatchReport } from '../../../integration/records/watch/watch-report.ts';
import { WATCH_PROPERTIES } from '../../../integration/records/watch/watch-validator.ts';

const SCOPE = 'default:kv:a';

/** Creates a and b, changes a, replaces both in one transaction, removes a, creates it again. */
const changes: readonly Change<unknown>[] = build([
  { key: '/kv/a/a', value: 1 },
  { key: '/kv/a/b', value: 1 },
  { key: '/kv/a/a', value: 2 },
  { key: '/kv/a/a', value: 3, transaction: { first: 4, last: 5 } },
  { key: '/kv/a/b', value: 3, transaction: { first: 4, last: 5 } },
  { key: '/kv/a/a' },
  { key: '/kv/a/a', value: 4 },
]);
const history: History = new Map([[SCOPE, changes]]);

const [first, second, third, fourth, fifth, sixth, seventh] = changes.map((change) => ({
  scope: SCOPE,
  ns: 'default',
  change,
})) as [Delivered, Delivered, Delivered, Delivered, Delivered, Delivered, Delivered];

const sound: WatchReport = {
  ns: 'default',
  prefix: '/kv/a',
  types: undefined,
  since: 0,
  answers: [
    { changes: [first, second], revision: 2 },
    { changes: [], revision: 2 },
    { changes: [third, fourth, fifth], revision: 5 },
    { changes: [sixth, seventh], revision: 7 },
    { changes: [], revision: 7, isComplete: true },
  ],
};

/** Each is a fault that some implementation of a watch has had, or could have. */
const mutations: Readonly<Record<string, readonly [what: string, report: WatchReport][]>> = {
  Ordered: [
    [
      'changes in another order',
      answering([
        [second, first],
        [third, fourth, fifth, sixth, seventh],
      ]),
    ],
    ['a change that the resync held a newer value of', resynced(7, [[third]])],
  ],
  Unique: [
    ['a change twice in one answer', answering([[first, first, second]])],
    [
      'a change again after a restart',
      answering([
        [first, second],
        [second, third],
      ]),
    ],
  ],
  Atomic: [
    [
      'a transaction in two answers',
      answering([
        [first, second, third, fourth],
        [fifth, sixth, seventh],
      ]),
    ],
    ['half a transaction', answering([[first, second, third, fifth, sixth, seventh]])],
  ],
  Reliable: [['a change left out', answering([[first, third, fourth, fifth]])]],
  Resumable: [
    ['the first change left out', answering([[second, third]])],
    ['a resync that never was', { ...resynced(2, []), resync: [recordAt(3, '/kv/a/a')] }],
    ['the first change after a resync left out', resynced(2, [[fourth, fifth, sixth, seventh]])],
  ],
  Bookmarkable: [
    ['a bookmark ahead of what was delivered', { ...sound, answers: [{ changes: [first], revision: 2 }] }],
    [
      'a change before a bookmark',
      { ...sound, answers: [{ changes: [first, second, third], revision: 4 }, { changes: [fourth, fifth] }] },
    ],
    ['an end before all was delivered', { ...sound, answers: [{ changes: [first], isComplete: true }] }],
  ],
  'Previous value': [
    ['no previous value', answering([[first, second, withPrevious(third, undefined)]])],
    [
      'an older previous value',
      answering([[first, second, third, withPrevious(fourth, recordAt(1, '/kv/a/a'))]]),
    ],
  ],
  'Is-create': [
    ['a creation that replaces', answering([[first, second, withPrevious(third, undefined)]])],
    ['a replacement that creates', answering([[withPrevious(seventh, recordAt(3, '/kv/a/a'))]])],
  ],
  Filter: [
    ['a key that is not below the prefix', { ...sound, prefix: '/kv/a/a' }],
    ['a type that was not asked for', { ...sound, types: ['delete'] }],
    ['another namespace', { ...sound, ns: 'other' }],
  ],
};

describe('the validator of watches', () => {
  it.each(Object.entries(WATCH_PROPERTIES))('finds nothing wrong where nothing is: %s', (_, findFaults) => {
    expect(findFaults(sound, history)).toEqual([]);
    expect(findFaults(resynced(2, [[third, fourth, fifth, sixth, seventh]]), history)).toEqual([]);
  });

  for (const [property, cases] of Object.entries(mutations)) {
    it.each(cases)(`${property}: finds %s`, (_, report) => {
      expect(WATCH_PROPERTIES[property]?.(report, history)).not.toEqual([]);
    });
  }

  it('has a mutation for every property', () => {
    expect(Object.keys(mutations)).toEqual(Object.keys(WATCH_PROPERTIES));
  });
});

function answering(answers: readonly Delivered[][]): WatchReport {
  return { ...sound, answers: answers.map((own) => ({ changes: own })) };
}

function resynced(revision: number, answers: readonly Delivered[][]): WatchReport {
  const { since: _, ...report } = answering(answers);
  const keys = ['/kv/a/a', '/kv/a/b'];
  return {
    ...report,
    resync: keys.flatMap((key) => recordAt(revision, key) ?? []),
    resyncRevision: revision,
  };
}

function recordAt(revision: number, key: string): StoredRecord<unknown> {
  const change = changes.findLast((own) => own.key === key && own.revision <= revision);
  return recordAfter(change as Change<unknown>) as StoredRecord<unknown>;
}

function withPrevious(delivered: Delivered, previous: StoredRecord<unknown> | undefined): Delivered {
  const { previous: _, ...change } = delivered.change;
  return { ...delivered, change: { ...change, ...(previous !== undefined && { previous }) } };
}

function build(writes: readonly Pick<Change<unknown>, 'key' | 'value' | 'transaction'>[]): Change<unknown>[] {
  const built: Change<unknown>[] = [];
  for (const [index, write] of writes.entries()) {
    const before = built.findLast(({ key }) => key === write.key);
    const previous = before && recordAfter(before);
    built.push({
      ...write,
      revision: index + 1,
      type: write.value === undefined ? 'delete' : 'put',
      ...(previous !== undefined && { previous }),
      actor: 'test',
      at: `2026-01-01T00:00:0${index}.000Z`,
      writeId: String(index),
    });
  }
  return built;
}
