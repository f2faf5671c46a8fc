import { expect, test } from 'vitest';
import { reserveSlots } from '../../../shared/webhooks/endpoint/call-slots.ts';
import { healthOf } from '../../../shared/webhooks/endpoint/endpoint-health.ts';
import { subscriptionTo } from './subscription-to.ts';

const NOW = 1_000_000;
const HOUR = 3_600_000;
const healthy = healthOf(undefined, subscriptionTo('https://example.com'));

test('slots lie an interval apart, also those of one who comes later', () => {
  const first = reserveSlots(healthy, 120, 2, NOW);
  const second = reserveSlots(first.health, 120, 1, NOW + 100);
  expect([...first.slots, ...second.slots]).toEqual([NOW, NOW + 500, NOW + 1_000]);
});

test('what was not used is lost, rather than saved up', () => {
  const first = reserveSlots(healthy, 60, 1, NOW);
  const second = reserveSlots(first.health, 60, 2, NOW + HOUR);
  expect(second.slots).toEqual([NOW + HOUR, NOW + HOUR + 1_000]);
});

test('nothing is set apart beyond the next hour', () => {
  const first = reserveSlots(healthy, 1, 100, NOW);
  expect(first.slots).toHaveLength(61);
  const second = reserveSlots(first.health, 1, 1, NOW);
  expect(second).toEqual({ slots: [], health: first.health });
  expect(second.health).toBe(first.health);
});

test('so many are set apart at a time as fit into memory, whatever rate an endpoint allows', () => {
  const rate = 999_999_999;
  const { slots, health } = reserveSlots(healthy, rate, rate / 60, NOW);
  expect(slots).toHaveLength(500);
  expect(health.nextSlotAt).toBeLessThan(NOW + 1);
});
