import type { Delivery } from '../../webhooks/delivery.ts';

export const DELIVERY_COLUMNS = [
  'DELIVERY',
  'CREATED',
  'STATE',
  'ATTEMPTS',
  'LAST',
  'NEXT',
  'REVISION',
  'KEY',
];

/** A delivery in a table of {@link DELIVERY_COLUMNS}. */
export function deliveryRow(delivery: Delivery): readonly unknown[] {
  const { id, createdAt, state, reason, attempts, nextAt, revision, key } = delivery;
  const last = attempts.at(-1);
  const outcome = last?.status ?? last?.error ?? reason;
  return [id, createdAt, state, attempts.length, outcome, nextAt, revision, key];
}
