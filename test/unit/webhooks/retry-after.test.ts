import { expect, test } from 'vitest';
import { retryAfterMilliseconds } from '../../../shared/webhooks/endpoint/retry-after.ts';

const clock = { now: () => Date.UTC(1994, 10, 6, 8, 49, 0), sleep: () => Promise.resolve() };

test.each([
  ['0', 0],
  ['120', 120_000],
  [' 7 ', 7_000],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
  ['Sun Nov  6 08:49:37 1994', 37_000],
  ['Sun, 06 Nov 1994 08:48:37 GMT', 0],
  ['-1', undefined],
  ['1.5', undefined],
  ['1e3', undefined],
  ['99999999999', undefined],
  ['1994-11-06T08:49:37Z', undefined],
  ['Sun, 99 Xyz 1994 08:49:37 GMT', undefined],
  ['7, 8', undefined],
  ['', undefined],
  [undefined, undefined],
])('Retry-After: %s', (header, expected) => {
  expect(retryAfterMilliseconds(header, clock)).toBe(expected);
});
