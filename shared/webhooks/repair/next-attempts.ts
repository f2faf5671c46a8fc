import { type Clock, toTimestamp } from '../../platform/clock.ts';
import type { Delivery } from '../delivery/delivery.ts';
import { closedUntil, healthOf } from '../endpoint/endpoint-health.ts';
import type { EndpointStorage } from '../endpoint/endpoint-storage.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';

export interface NextAttemptsOptions {
  readonly subscriptions: Subscriptions;
  readonly endpoints: EndpointStorage;
  readonly clock: Clock;
}

/**
 * Says when deliveries are made that wait for their endpoint, for those who look at them. It is written down nowhere: all that waits
 * for an endpoint would have to be written anew whenever its breaker opens.
 */
export class NextAttempts {
  readonly #options: NextAttemptsOptions;

  constructor(options: NextAttemptsOptions) {
    this.#options = options;
  }

  /**
   * Deliveries of one subscription, of which those that are pending are due no earlier than the endpoint may be called.
   *
   * @throws SkerryError `unavailable`.
   */
  async tell(ns: string, id: string, deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
    if (!deliveries.some(({ state }) => state === 'pending')) {
      return deliveries;
    }
    const { subscriptions, endpoints, clock } = this.#options;
    const [subscription, { health }] = await Promise.all([subscriptions.find(ns, id), endpoints.read(id)]);
    const until =
      subscription?.state === 'active' ? closedUntil(healthOf(health, subscription), clock.now()) : undefined;
    return until === undefined ? deliveries : deliveries.map((delivery) => notBefore(delivery, until));
  }
}

function notBefore(delivery: Delivery, until: number): Delivery {
  const { state, nextAt } = delivery;
  const isLater = state === 'pending' && (nextAt === undefined || Date.parse(nextAt) < until);
  return isLater ? { ...delivery, nextAt: toTimestamp(until) } : delivery;
}
