import { describe, expect, test } from 'vitest';
import {
  afterFailure,
  afterSuccess,
  closedUntil,
  DEFAULT_PATIENCE,
  duringProbe,
  type EndpointHealth,
  healthOf,
  isHalfOpen,
  judge,
  withReport,
} from '../../../shared/webhooks/endpoint/endpoint-health.ts';
import { subscriptionTo } from './subscription-to.ts';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
const START = Date.parse('2026-01-01T00:00:00Z');

const subscription = subscriptionTo('https://example.com/hook');
const healthy = healthOf(undefined, subscription);

function failTimes(count: number, health: EndpointHealth = healthy, now = START): EndpointHealth {
  return Array.from({ length: count }).reduce<EndpointHealth>(
    (known) => afterFailure(known, { now, isProbe: false }),
    health,
  );
}

describe('the breaker', () => {
  test('opens at the fifth failure in a row', () => {
    expect(closedUntil(failTimes(4), START)).toBeUndefined();
    expect(closedUntil(failTimes(5), START)).toBe(START + 30 * SECOND);
    expect(closedUntil(failTimes(4, afterSuccess(failTimes(4))), START)).toBeUndefined();
  });

  test('stays open for longer each time that the one call which tries fails, up to ten minutes', () => {
    let health = failTimes(5);
    let now = START;
    const pauses: number[] = [];
    for (let nth = 0; nth < 7; nth += 1) {
      const until = closedUntil(health, now) ?? 0;
      pauses.push((until - now) / SECOND);
      expect(isHalfOpen(health, until - 1)).toBe(false);
      expect(isHalfOpen(health, until)).toBe(true);
      now = until;
      health = afterFailure(duringProbe(health, now, 20 * SECOND), { now, isProbe: true });
    }
    expect(pauses).toEqual([30, 60, 120, 300, 600, 600, 600]);
  });

  test('lets the next call try when the one that tried never came back', () => {
    const now = START + 30 * SECOND;
    const trying = duringProbe(failTimes(5), now, 20 * SECOND);
    expect(closedUntil(trying, now)).toBe(now + 20 * SECOND);
    expect(isHalfOpen(trying, now + 20 * SECOND)).toBe(true);
  });

  test('learns nothing from calls that were under way when it opened', () => {
    const open = failTimes(5);
    expect(failTimes(5, open)).toBe(open);
  });

  test('closes with a success, which forgets all failures', () => {
    expect(afterSuccess(failTimes(7))).toEqual(healthy);
  });

  test('writes nothing for a success of a healthy endpoint', () => {
    expect(afterSuccess(healthy)).toBe(healthy);
  });
});

describe('Retry-After', () => {
  const fail = (health: EndpointHealth, retryAfterMilliseconds: number, now = START) =>
    afterFailure(health, { now, isProbe: false, retryAfterMilliseconds });

  test('keeps everybody away until then, for a day at the most', () => {
    expect(closedUntil(fail(healthy, 7 * SECOND), START)).toBe(START + 7 * SECOND);
    expect(closedUntil(fail(healthy, 99 * DAY), START)).toBe(START + DAY);
  });

  test('is not shortened by a later and shorter one, nor by a success that was under way', () => {
    const health = fail(fail(healthy, HOUR), SECOND);
    expect(closedUntil(health, START)).toBe(START + HOUR);
    expect(closedUntil(afterSuccess(health), START)).toBe(START + HOUR);
  });

  test('outlasts an open breaker, and is heard of calls that were under way when it opened', () => {
    const health = fail(failTimes(5), HOUR);
    expect(closedUntil(health, START)).toBe(START + HOUR);
    expect(isHalfOpen(health, START + HOUR)).toBe(true);
  });
});

describe('an endpoint that does nothing but fail', () => {
  /** A failure each `hours`, from the start on. */
  function failFor(days: number, hours: number): { health: EndpointHealth; now: number } {
    let health = healthy;
    let now = START;
    for (; now <= START + days * DAY; now += hours * HOUR) {
      health = afterFailure(health, { now, isProbe: true });
    }
    return { health, now: START + days * DAY };
  }
  const verdict = ({ health, now }: ReturnType<typeof failFor>) => judge(health, now, DEFAULT_PATIENCE);

  test('is warned of after four days and disabled after five', () => {
    expect(verdict(failFor(3.9, 1))).toBeUndefined();
    expect(verdict(failFor(4, 1))).toBe('warn');
    expect(verdict(failFor(4.9, 1))).toBe('warn');
    expect(verdict(failFor(5, 1))).toBe('disable');
  });

  test('begins anew with a success', () => {
    const { health } = failFor(5, 1);
    const again = afterFailure(afterSuccess(health), { now: START + 5 * DAY, isProbe: false });
    expect(judge(again, START + 5 * DAY, DEFAULT_PATIENCE)).toBeUndefined();
  });

  test('begins anew after 36 hours in which nothing was tried', () => {
    expect(verdict(failFor(6, 36))).toBe('disable');
    expect(verdict(failFor(6, 37))).toBeUndefined();
  });
});

describe('what is known is of the endpoint as it is subscribed now', () => {
  const broken = withReport({ ...failTimes(5), nextSlotAt: START });

  test('another endpoint begins anew, but for what is said of it', () => {
    const replaced = subscriptionTo('https://example.com/other');
    const { endpoint } = replaced;
    expect(healthOf(broken, replaced)).toEqual({ ...healthy, endpoint, isReported: true });
  });

  test('so does one that was resumed, whose rate goes on', () => {
    const since = '2026-02-01T00:00:00.000Z';
    expect(healthOf(broken, { ...subscription, stateSince: since })).toEqual({
      ...healthy,
      since,
      isReported: true,
      nextSlotAt: START,
    });
  });

  test('a call from before that changes nothing back', () => {
    const resumed = healthOf(broken, { ...subscription, stateSince: '2026-02-01T00:00:00.000Z' });
    expect(healthOf(resumed, subscription)).toBe(resumed);
  });
});
