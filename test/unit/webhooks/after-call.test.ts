import { describe, expect, test } from 'vitest';
import { afterCall, attemptsMade } from '../../../shared/webhooks/delivery/after-call.ts';
import { type Delivery, newDelivery } from '../../../shared/webhooks/delivery/delivery.ts';
import type { WebhookResult } from '../../../shared/webhooks/index.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const SECOND = 1_000;
const DAY = 24 * 3_600 * SECOND;
const FAILED = { status: 500, error: 'HTTP 500' };

const options = { now: NOW, random: { fraction: () => 0.5, id: () => 'id' }, retrySeconds: [5, 60] };
const fresh = newDelivery(
  { scope: 'default:app:', revision: 1, key: '/app/dm', subscription: 'sub_1', attempt: 1 },
  NOW,
);

function after(
  result: WebhookResult,
  delivery: Delivery = fresh,
  retrySeconds = options.retrySeconds,
): Delivery {
  const call = { kind: 'called', result, startedAt: NOW, durationMs: 7 } as const;
  return afterCall(delivery, call, { ...options, retrySeconds });
}

const pauseOf = ({ nextAt = '' }: Delivery) => (Date.parse(nextAt) - NOW) / SECOND;

test('the ladder is climbed until it ends', () => {
  const first = after(FAILED);
  const second = after(FAILED, first);
  const third = after(FAILED, second);
  expect([first.state, second.state, third.state]).toEqual(['pending', 'pending', 'dead']);
  expect([pauseOf(first), pauseOf(second)]).toEqual([5, 60]);
  expect(third).toMatchObject({ reason: 'The last attempt failed: HTTP 500' });
  expect(third).not.toHaveProperty('nextAt');
});

test('a replay climbs it from the beginning, and keeps what was tried before', () => {
  const dead = after(FAILED, after(FAILED, after(FAILED)));
  const { reason: _, ...rest } = dead;
  const replayed: Delivery = { ...rest, state: 'pending', replays: 1, earlierAttempts: dead.attempts.length };
  const next = after(FAILED, replayed);
  expect(attemptsMade(next)).toBe(1);
  expect(pauseOf(next)).toBe(5);
  expect(next.attempts).toHaveLength(4);
});

test('only the newest fifty attempts are kept, and their count stays right', () => {
  const ladder = Array.from({ length: 100 }, () => 1);
  let delivery: Delivery = fresh;
  for (let nth = 1; nth <= 70; nth += 1) {
    delivery = after(nth === 70 ? { status: 503, error: 'last' } : FAILED, delivery, ladder);
    expect(attemptsMade(delivery)).toBe(nth);
  }
  expect(delivery.attempts).toHaveLength(50);
  expect(delivery.attempts.at(-1)).toMatchObject({ error: 'last' });
});

describe('Retry-After', () => {
  const busy = (retryAfterMilliseconds: number) => after({ status: 503, error: 'x', retryAfterMilliseconds });

  test('puts the next attempt off', () => {
    expect(pauseOf(busy(90 * SECOND))).toBe(90);
  });

  test('does not bring it forward, nor put it off by more than a day', () => {
    expect(pauseOf(busy(SECOND))).toBe(5);
    expect(pauseOf(busy(9 * DAY))).toBe(DAY / SECOND);
  });
});

test('an endpoint that is gone, or may not be called, is not tried again', () => {
  expect(after({ status: 410, error: 'HTTP 410' })).toMatchObject({
    state: 'dead',
    reason: 'The endpoint answered 410 Gone.',
  });
  expect(after({ error: 'The port is forbidden.', isFinal: true })).toMatchObject({
    state: 'dead',
    reason: 'The port is forbidden.',
    attempts: [{ error: 'The port is forbidden.' }],
  });
});

test('the last answer is kept, as far as its first 20,000 bytes hold whole characters', () => {
  const delivery = after({ status: 200, body: `a${'€'.repeat(10_000)}` });
  expect(delivery.lastResponse).toBe(`a${'€'.repeat(6_666)}`);
  expect(after({ status: 200 }, delivery)).not.toHaveProperty('lastResponse');
});
