import { toTimestamp } from '../platform/clock.ts';
import { isOutOfTime, withLastError } from './claim.ts';
import {
  DEFAULT_MAX_ATTEMPTS,
  DEFAULT_TIMEOUT_SECONDS,
  MAX_LOG_LINES,
  MAX_REASON_CHARACTERS,
} from './limits.ts';
import type { StepValue } from './operation.ts';
import type { AttemptOutcome } from './step-worker.ts';

/** Pauses are made longer or shorter by up to so much of them, so that those who failed together do not come back together. */
const JITTER = 0.2;
const MIN_POLL_SECONDS = 1;
const MAX_POLL_SECONDS = 3600;

export interface AfterFacts {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Milliseconds. */
  readonly pauses: readonly number[];
  /** A number in [0, 1). */
  readonly jitter: number;
}

/** A step that was claimed, after the outcome of that attempt. */
export function stepAfter(claimed: StepValue, outcome: AttemptOutcome, facts: AfterFacts): StepValue {
  const { now } = facts;
  const { claimedUntil: _, handle, error: __, ...rest } = claimed;
  const log = [...claimed.log, ...(outcome.log ?? [])].slice(-MAX_LOG_LINES);
  const { timeoutSeconds = DEFAULT_TIMEOUT_SECONDS, maxAttempts = DEFAULT_MAX_ATTEMPTS } =
    claimed.action ?? {};
  const isLate = isOutOfTime(claimed, timeoutSeconds, now);
  const ended = { ...rest, log, endedAt: toTimestamp(now) };
  if (outcome.state === 'succeeded') {
    const { outputs, observation } = outcome;
    return {
      ...ended,
      state: 'succeeded',
      ...(outputs !== undefined && { outputs }),
      ...(observation !== undefined && { observation }),
    };
  }
  if (outcome.state === 'pending' && !isLate) {
    const seconds = Math.min(MAX_POLL_SECONDS, Math.max(MIN_POLL_SECONDS, outcome.pollAfterSeconds));
    return {
      ...rest,
      log,
      state: 'running',
      handle: outcome.handle,
      nextAt: toTimestamp(now + 1000 * seconds),
    };
  }
  const stands =
    outcome.state === 'failed' && outcome.outputs !== undefined
      ? { outputs: { ...claimed.outputs, ...outcome.outputs } }
      : {};
  const error = outcome.state === 'failed' ? outcome.reason : 'It was still going on.';
  const mayGoOn = outcome.state === 'failed' && outcome.mayGoOn === true && handle !== undefined;
  const isPassing = outcome.state === 'failed' && outcome.isPassing;
  if (!isPassing || isLate || (!mayGoOn && claimed.attempts >= maxAttempts)) {
    const reason =
      isPassing && isLate
        ? withLastError(`It was not done within ${timeoutSeconds} s`, { ...claimed, error })
        : error;
    return { ...ended, ...stands, state: 'failed', error: reason.slice(0, MAX_REASON_CHARACTERS) };
  }
  const nextAt = toTimestamp(now + pauseAfter(claimed.attempts, facts));
  return mayGoOn
    ? { ...rest, ...stands, log, state: 'running', handle, error, nextAt }
    : { ...rest, ...stands, log, state: 'waiting', error, nextAt };
}

function pauseAfter(attempts: number, { pauses, jitter }: AfterFacts): number {
  const pause = pauses[Math.min(attempts, pauses.length) - 1] ?? 0;
  return Math.round(pause * (1 - JITTER + 2 * JITTER * jitter));
}
