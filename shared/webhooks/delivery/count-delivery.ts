import { metrics } from '../../platform/telemetry/index.ts';
import { attemptsMade } from './after-call.ts';
import type { Delivery } from './delivery.ts';

/** Counts what became of a delivery, once that is written. */
export function countDelivery(delivery: Delivery): void {
  const { state } = delivery;
  metrics.deliveries.add({ outcome: state === 'pending' ? 'failed' : state });
  if (state === 'delivered' || state === 'dead') {
    metrics.deliveryAttempts.record({ outcome: state }, attemptsMade(delivery));
  }
  if (state === 'dead') {
    metrics.deadLetters.add({ kind: 'delivery' });
  }
}
