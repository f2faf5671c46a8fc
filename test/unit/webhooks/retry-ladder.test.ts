import { expect, test } from 'vitest';
import type { Random } from '../../../shared/platform/random.ts';
import { pauseAfter } from '../../../shared/webhooks/delivery/retry-ladder.ts';

const LADDER = [5, 30, 120];

function randomOf(fraction: number): Random {
  return { fraction: () => fraction, id: () => 'id' };
}

test('each failed attempt waits for its own step, and the last one for none', () => {
  const pauses = [1, 2, 3, 4].map((attempt) => pauseAfter(attempt, LADDER, randomOf(0.5)));
  expect(pauses).toEqual([5_000, 30_000, 120_000, undefined]);
});

test('pauses vary by a fifth both ways', () => {
  expect(pauseAfter(1, LADDER, randomOf(0))).toBe(4_000);
  expect(pauseAfter(1, LADDER, randomOf(1 - Number.EPSILON))).toBe(6_000);
});
