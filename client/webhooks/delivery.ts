export type DeliveryState = 'pending' | 'held' | 'delivered' | 'dead';

/** One POST to the endpoint. */
export interface DeliveryAttempt {
  /** When it began, RFC 3339, as the other times. */
  readonly at: string;
  readonly durationMs: number;
  /** Of the answer, if one came. */
  readonly status?: number;
  /** Why it failed; absent when it succeeded. */
  readonly error?: string;
}

/** What became of one change that a subscription is told of. */
export interface Delivery {
  /** Sent as `webhook-id`. */
  readonly id: string;
  readonly subscription: string;
  readonly scope: string;
  readonly revision: number;
  readonly key: string;
  readonly state: DeliveryState;
  /** Why it is dead or held. */
  readonly reason?: string;
  readonly createdAt: string;
  /** The newest 50. */
  readonly attempts: readonly DeliveryAttempt[];
  /** How often it was made again, because somebody asked for it. */
  readonly replays?: number;
  /** How many of the attempts were made before the newest replay. */
  readonly earlierAttempts?: number;
  /** When the next attempt is due at the earliest. */
  readonly nextAt?: string;
  /** The beginning of the last answer, where a delivery is read alone. */
  readonly lastResponse?: string;
}

/** What the endpoint answered to a test. */
export interface TestResult {
  /** Absent where no answer came. */
  readonly status?: number;
  readonly durationMs: number;
  /** Why it failed; absent when the endpoint took it. */
  readonly error?: string;
  /** The beginning of the answer. */
  readonly response?: string;
}
