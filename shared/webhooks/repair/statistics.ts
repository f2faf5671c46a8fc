import { type Clock, toTimestamp } from '../../platform/clock.ts';
import type { Delivery, DeliveryState } from '../delivery/delivery.ts';
import type { DeliveryStorage } from '../delivery/delivery-storage.ts';
import { closedUntil, DEFAULT_PATIENCE, type EndpointHealth, healthOf } from '../endpoint/endpoint-health.ts';
import type { EndpointStorage } from '../endpoint/endpoint-storage.ts';
import type { Subscription } from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';

/** Of some measurements, in milliseconds; absent where there are none. */
export interface Percentiles {
  readonly p50?: number;
  readonly p99?: number;
}

/** How the deliveries of a subscription go. */
export interface EndpointStatistics {
  /** How many deliveries there are. Those that are done count for 30 days. */
  readonly states: Readonly<Record<DeliveryState, number>>;
  readonly endpoint: {
    /** `open`: it is not called until `openUntil`, because it failed too often in a row or asked for a pause; `disabled`: not at all. */
    readonly state: 'healthy' | 'failing' | 'open' | 'disabled';
    /** In a row. */
    readonly failures: number;
    readonly failingSince?: string;
    readonly openUntil?: string;
    /** When it will be disabled, should nothing but failures follow. */
    readonly disablesAt?: string;
    /** What it allows. */
    readonly ratePerMinute?: number;
  };
  /** Of the newest deliveries. */
  readonly latest: {
    readonly deliveries: number;
    readonly delivered: number;
    /** Share of the attempts that succeeded; absent where there was none. */
    readonly successRate?: number;
    /** Of attempts. */
    readonly durationMs: Percentiles;
    /** From the moment at which a delivery was taken up until the endpoint had it, retries included. */
    readonly lagMs: Percentiles;
  };
}

export interface StatisticsOptions {
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly endpoints: EndpointStorage;
  readonly clock: Clock;
}

const LATEST_DELIVERIES = 200;

/**
 * Counts deliveries by queries of one partition, when somebody asks: a few request units for each state, more where there are
 * tens of thousands, and some for the newest deliveries, which are read.
 */
export class Statistics {
  readonly #options: StatisticsOptions;

  constructor(options: StatisticsOptions) {
    this.#options = options;
  }

  /** @throws SkerryError `not-found`, `unavailable`. */
  async of(ns: string, id: string): Promise<EndpointStatistics> {
    const { subscriptions, storage, endpoints, clock } = this.#options;
    const subscription = await subscriptions.get(ns, id);
    const [pending, held, delivered, dead, { health }, latest] = await Promise.all([
      storage.count(id, 'pending'),
      storage.count(id, 'held'),
      storage.count(id, 'delivered'),
      storage.count(id, 'dead'),
      endpoints.read(id),
      storage.latest(id, LATEST_DELIVERIES),
    ]);
    return {
      states: { pending, held, delivered, dead },
      endpoint: describeEndpoint(subscription, healthOf(health, subscription), clock.now()),
      latest: describeLatest(latest),
    };
  }
}

function describeEndpoint(
  { state, consent }: Subscription,
  health: EndpointHealth,
  now: number,
): EndpointStatistics['endpoint'] {
  const { failures, failingSince } = health;
  const openUntil = closedUntil(health, now);
  return {
    // What is known of its health begins anew when the subscription is disabled.
    state:
      state === 'disabled' ? state : openUntil !== undefined ? 'open' : failures > 0 ? 'failing' : 'healthy',
    failures,
    ...(failingSince !== undefined && {
      failingSince: toTimestamp(failingSince),
      disablesAt: toTimestamp(failingSince + DEFAULT_PATIENCE.disableAfterMilliseconds),
    }),
    ...(openUntil !== undefined && { openUntil: toTimestamp(openUntil) }),
    ...(consent?.ratePerMinute !== undefined && { ratePerMinute: consent.ratePerMinute }),
  };
}

export function describeLatest(
  deliveries: readonly Pick<Delivery, 'state' | 'createdAt' | 'attempts'>[],
): EndpointStatistics['latest'] {
  const attempts = deliveries.flatMap((delivery) => delivery.attempts);
  const delivered = deliveries.filter(({ state }) => state === 'delivered');
  const lags = delivered.flatMap(({ createdAt, attempts: made }) => {
    const first = made.find(({ error }) => error === undefined);
    return first === undefined ? [] : [Date.parse(first.at) + first.durationMs - Date.parse(createdAt)];
  });
  const successes = attempts.filter(({ error }) => error === undefined).length;
  return {
    deliveries: deliveries.length,
    delivered: delivered.length,
    ...(attempts.length > 0 && { successRate: successes / attempts.length }),
    durationMs: percentiles(attempts.map(({ durationMs }) => durationMs)),
    lagMs: percentiles(lags),
  };
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1];
  const [p50, p99] = [at(0.5), at(0.99)];
  return p50 === undefined || p99 === undefined ? {} : { p50, p99 };
}
