import type { DeliveryState } from './delivery.ts';

/** Of some measurements, in milliseconds; absent where there are none. */
export interface Percentiles {
  readonly p50?: number;
  readonly p99?: number;
}

/** How the deliveries of a subscription go, and how its endpoint is. */
export interface EndpointStatistics {
  /** How many deliveries there are; those that are done count for 30 days. */
  readonly states: Readonly<Record<DeliveryState, number>>;
  readonly endpoint: {
    /**
     * `open`: it is not called until `openUntil`, because it failed too often in a row, or asked for a pause. `disabled`: not
     * until the subscription is resumed.
     */
    readonly state: 'healthy' | 'failing' | 'open' | 'disabled';
    /** In a row. */
    readonly failures: number;
    /** RFC 3339, as the other times. */
    readonly failingSince?: string;
    readonly openUntil?: string;
    /** When it will be disabled, should nothing but failures follow. */
    readonly disablesAt?: string;
    /** Requests that it allows in a minute. */
    readonly ratePerMinute?: number;
  };
  /** Of the newest 200 deliveries. */
  readonly latest: {
    readonly deliveries: number;
    readonly delivered: number;
    /** Share of the attempts that succeeded. */
    readonly successRate?: number;
    /** Of attempts. */
    readonly durationMs: Percentiles;
    /** Until the endpoint had it, retries included. */
    readonly lagMs: Percentiles;
  };
}
