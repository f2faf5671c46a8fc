import { expect, test } from 'vitest';
import { systemRandom } from '../../../shared/platform/random.ts';
import { createUlid, timeOfUlid } from '../../../shared/platform/ulid.ts';

test('ids sort by their time, and tell it', () => {
  const times = [0, 1, 31, 32, 1_469_918_176_385, 1_795_000_000_000, 2 ** 48 - 1];
  const ids = times.map((time) => createUlid(time, systemRandom));
  expect(ids.toSorted()).toEqual(ids);
  expect(ids.map(timeOfUlid)).toEqual(times);
});

test('the time is written as in the example of the specification', () => {
  expect(createUlid(1_469_918_176_385, systemRandom).slice(0, 10)).toBe('01aryz6s41');
});

test('what is no id has no time', () => {
  expect(timeOfUlid('drafts')).toBeUndefined();
  expect(timeOfUlid('8zzzzzzzzz0000000000000000')).toBeUndefined();
});
