import { expect, test } from 'vitest';
import { describeCleanup } from '../../../functions/timers/describe-cleanup.ts';

const NOTHING = {
  removed: 0,
  deleted: 0,
  retained: 0,
  orphans: 0,
  drafts: 0,
  overdue: 0,
  isCutOff: false,
  failed: [],
};

test('a cleanup that did nothing is not worth a line', () => {
  expect(describeCleanup(NOTHING)).toBeUndefined();
});

test('a cleanup says in one line what it did, and what storage refused', () => {
  const failed = [{ folder: 'default/web', error: new Error() }];
  expect(describeCleanup({ ...NOTHING, removed: 2, retained: 40, isCutOff: true, failed })).toBe(
    'Bundles: 2 versions taken from readers, 40 retained by storage until later, 1 failed (folders), the rest is left to the next run.',
  );
});
