import { expect, test } from 'vitest';
import { describeSweep } from '../../../functions/timers/describe-sweep.ts';

const NOTHING = { expired: 0, removed: 0, advanced: 0, collected: 0, heldBack: 0, postponed: 0, failed: [] };

test('a sweep that did nothing is not worth a line', () => {
  expect(describeSweep(NOTHING)).toBeUndefined();
});

test('a sweep says in one line what it did', () => {
  const summary = { ...NOTHING, expired: 3, failed: [{ scope: 'default:srv:web', error: new Error() }] };
  expect(describeSweep(summary)).toBe('Sweep: 3 expired, 1 failed (scopes).');
});
