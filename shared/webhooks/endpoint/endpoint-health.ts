import type { Subscription } from '../subscription/subscription.ts';

/**
 * What is known of an endpoint beside its subscription: whether it may be called now, since when it fails, and when the next
 * call is due by its allowed rate. It is a document, because all processes together must keep to it: libraries for circuit
 * breakers, such as cockatiel, hold their state in one process. All times are in milliseconds since the Unix epoch.
 */
export interface EndpointHealth {
  /** What was called; another endpoint of the same subscription begins anew. */
  readonly endpoint: string;
  /** The subscription's `stateSince`, or its creation: one that was resumed begins anew. */
  readonly since: string;
  /** Failed calls in a row. */
  readonly failures: number;
  /** How often the breaker opened in a row; 0 while it is closed. */
  readonly openings: number;
  /** Nobody calls before this, while the breaker is open; after it one call may try. */
  readonly openUntil?: number;
  /** Nobody calls before this, because the endpoint said so by `Retry-After`. */
  readonly keepOffUntil?: number;
  /** First and last of the failures since the last success. */
  readonly failingSince?: number;
  readonly lastFailureAt?: number;
  /** Whether there may be a record that says that it fails. */
  readonly isReported?: true;
  /** The first time that the allowed rate has not set apart for anybody yet. */
  readonly nextSlotAt?: number;
}

/** How long an endpoint may do nothing but fail. */
export interface EndpointPatience {
  readonly warnAfterMilliseconds: number;
  readonly disableAfterMilliseconds: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const DEFAULT_PATIENCE: EndpointPatience = {
  warnAfterMilliseconds: 4 * DAY,
  disableAfterMilliseconds: 5 * DAY,
};

/** Failures in a row that open the breaker. */
const FAILURES_TO_OPEN = 5;
/** How long it stays open, each time that the call which tries fails again. */
const OPEN_MILLISECONDS = [30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE];
const MAX_KEEP_OFF_MILLISECONDS = DAY;
/** A `Retry-After` that says the same as the one before, a moment later, is not worth a write. */
const KEEP_OFF_STEP_MILLISECONDS = SECOND;
/** Longer than the longest pause of the ladder: after it nothing was tried, which proves no failure. */
const MAX_GAP_MILLISECONDS = 36 * HOUR;

/** Of what is known, that which concerns the endpoint as it is subscribed now. */
export function healthOf(known: EndpointHealth | undefined, subscription: Subscription): EndpointHealth {
  const { endpoint, stateSince: since = subscription.createdAt } = subscription;
  const isSame = known?.endpoint === endpoint;
  if (isSame && known.since >= since) {
    return known;
  }
  return {
    endpoint,
    since,
    failures: 0,
    openings: 0,
    ...(known?.isReported && { isReported: true }),
    ...(isSame && known.nextSlotAt !== undefined && { nextSlotAt: known.nextSlotAt }),
  };
}

/** Before when the endpoint must not be called; undefined when it may be now, or, half open, by one. */
export function closedUntil(health: EndpointHealth, now: number): number | undefined {
  const until = Math.max(health.openUntil ?? 0, health.keepOffUntil ?? 0);
  return until > now ? until : undefined;
}

/** Whether the next call decides if the breaker closes, so that only one may be made. */
export function isHalfOpen(health: EndpointHealth, now: number): boolean {
  return health.openings > 0 && closedUntil(health, now) === undefined;
}

/** One call tries; should it die with its process, the next one may after `timeoutMilliseconds`. */
export function duringProbe(
  health: EndpointHealth,
  now: number,
  timeoutMilliseconds: number,
): EndpointHealth {
  return { ...health, openUntil: now + timeoutMilliseconds };
}

/** @returns `health` itself when a success changes nothing, as most do. */
export function afterSuccess(health: EndpointHealth): EndpointHealth {
  if (health.failures === 0 && health.openings === 0) {
    return health;
  }
  const { openUntil: _, failingSince: __, lastFailureAt: ___, ...rest } = health;
  return { ...rest, failures: 0, openings: 0 };
}

export interface FailedCall {
  readonly now: number;
  /** Whether it was the one call that a half open breaker let through. */
  readonly isProbe: boolean;
  readonly retryAfterMilliseconds?: number | undefined;
}

/** @returns `health` itself when the failure changes nothing: calls that were under way when the breaker opened prove no more. */
export function afterFailure(health: EndpointHealth, call: FailedCall): EndpointHealth {
  const { now, isProbe } = call;
  const keptOff = keepOff(health, call);
  const isOpen = health.openings > 0;
  if (isOpen && !isProbe) {
    return keptOff;
  }
  const { failures, openings, failingSince = now, lastFailureAt = now, ...rest } = keptOff;
  const opens = isOpen || failures + 1 >= FAILURES_TO_OPEN;
  return {
    ...rest,
    failures: failures + 1,
    openings: opens ? openings + 1 : 0,
    ...(opens && { openUntil: now + openMilliseconds(openings + 1) }),
    failingSince: now - lastFailureAt > MAX_GAP_MILLISECONDS ? now : failingSince,
    lastFailureAt: now,
  };
}

/** @returns `health` itself when it says so already. */
export function withReport(health: EndpointHealth): EndpointHealth {
  return health.isReported ? health : { ...health, isReported: true };
}

/** @returns `health` itself when it says so already. */
export function withoutReport(health: EndpointHealth): EndpointHealth {
  const { isReported, ...rest } = health;
  return isReported ? rest : health;
}

/** What nothing but failures for so long calls for. */
export function judge(
  { failingSince }: EndpointHealth,
  now: number,
  { warnAfterMilliseconds, disableAfterMilliseconds }: EndpointPatience,
): 'warn' | 'disable' | undefined {
  const duration = failingSince === undefined ? 0 : now - failingSince;
  if (duration >= disableAfterMilliseconds) {
    return 'disable';
  }
  return duration >= warnAfterMilliseconds ? 'warn' : undefined;
}

function openMilliseconds(openings: number): number {
  return OPEN_MILLISECONDS[Math.min(openings, OPEN_MILLISECONDS.length) - 1] ?? 0;
}

function keepOff(health: EndpointHealth, { now, retryAfterMilliseconds = 0 }: FailedCall): EndpointHealth {
  const until = now + Math.min(retryAfterMilliseconds, MAX_KEEP_OFF_MILLISECONDS);
  return retryAfterMilliseconds > 0 && until >= (health.keepOffUntil ?? 0) + KEEP_OFF_STEP_MILLISECONDS
    ? { ...health, keepOffUntil: until }
    : health;
}
