import { toTimestamp } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import type { CalledEndpoint } from '../endpoint/endpoint-gate.ts';
import type { Delivery } from './delivery.ts';
import { pauseAfter } from './retry-ladder.ts';

/** Attempts that a delivery tells of; the oldest go first. */
const MAX_ATTEMPTS = 50;
const MAX_RESPONSE_BYTES = 20_000;
const MAX_RETRY_AFTER_MILLISECONDS = 24 * 60 * 60 * 1_000;

const GONE = 410;

export interface AfterCallOptions {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly random: Random;
  /** Pauses between attempts, in seconds; after the last one a delivery is dead. */
  readonly retrySeconds: readonly number[];
}

/** Attempts since the delivery was last begun anew, which is where it is on the ladder. */
export function attemptsMade({ attempts, earlierAttempts = 0 }: Delivery): number {
  return attempts.length - earlierAttempts;
}

/** A delivery after one more attempt: delivered, dead, or pending until `nextAt`. */
export function afterCall(delivery: Delivery, call: CalledEndpoint, options: AfterCallOptions): Delivery {
  const { status, error, isFinal, retryAfterMilliseconds = 0 } = call.result;
  const attempted = withAttempt(delivery, call);
  if (error === undefined) {
    return { ...attempted, state: 'delivered' };
  }
  if (status === GONE) {
    return { ...attempted, state: 'dead', reason: 'The endpoint answered 410 Gone.' };
  }
  if (isFinal) {
    return { ...attempted, state: 'dead', reason: error };
  }
  const { now, random, retrySeconds } = options;
  const pause = pauseAfter(attemptsMade(attempted), retrySeconds, random);
  if (pause === undefined) {
    return { ...attempted, state: 'dead', reason: `The last attempt failed: ${error}` };
  }
  const asked = Math.min(retryAfterMilliseconds, MAX_RETRY_AFTER_MILLISECONDS);
  return { ...attempted, state: 'pending', nextAt: toTimestamp(now + Math.max(pause, asked)) };
}

/** `earlierAttempts` goes down by what is dropped, even below nothing, so that the ladder's count stays right. */
function withAttempt(delivery: Delivery, { result, startedAt, durationMs }: CalledEndpoint): Delivery {
  const { nextAt: _, reason: __, lastResponse: ___, earlierAttempts, ...rest } = delivery;
  const { status, error, body = '' } = result;
  const attempt = {
    at: toTimestamp(startedAt),
    durationMs,
    ...(status !== undefined && { status }),
    ...(error !== undefined && { error }),
  };
  const attempts = [...delivery.attempts, attempt];
  const dropped = Math.max(0, attempts.length - MAX_ATTEMPTS);
  const earlier = (earlierAttempts ?? 0) - dropped;
  return {
    ...rest,
    attempts: attempts.slice(dropped),
    ...((earlierAttempts !== undefined || dropped > 0) && { earlierAttempts: earlier }),
    ...(body !== '' && { lastResponse: cutBytes(body, MAX_RESPONSE_BYTES) }),
  };
}

/** The start of a text that has so many bytes in UTF-8, by whole characters. */
function cutBytes(text: string, bytes: number): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(bytes)).read);
}
