import type { Delivery } from '../../webhooks/delivery.ts';

export const DELIVERY_COLUMNS = ['DELIVERY', 'STATE', 'ATTEMPTS', 'LAST', 'NEXT', 'REVISION', 'KEY'];

/** A delivery in a table of {@link DELIVERY_COLUMNS}. */
export function deliveryRow(delivery: Delivery): readonly unknown[] {
  const { id, state, reason, attempts, nextAt, revision, key } = delivery;
  const last = attempts.at(-1);
  return [id, state, attempts.length, last?.status ?? last?.error ?? reason, nextAt, revision, key];
}
