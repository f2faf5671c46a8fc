import type { StepOutcome } from '../operations/index.ts';
import { SkerryError } from '../platform/errors.ts';
import type { Json } from '../records/index.ts';
import type { BoundedOutputs } from './bounded-outputs.ts';

export interface FailureDetails {
  /** Whether another attempt may succeed. */
  readonly isPassing: boolean;
  /** How long whoever failed wants to be left alone. */
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

/**
 * Why an attempt of a step came to nothing. The message is a sentence for whoever reads the operation: nothing secret. Where it is
 * thrown to the engine, its kind says the same as `isPassing`.
 */
export class StepFailure extends SkerryError {
  readonly isPassing: boolean;

  constructor(reason: string, { isPassing, retryAfterSeconds, cause }: FailureDetails) {
    super(isPassing ? 'unavailable' : 'unprocessable', reason, {
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
      cause,
    });
    this.name = 'StepFailure';
    this.isPassing = isPassing;
  }
}

/** Another attempt fails likewise. */
export function finalFailure(reason: string): StepFailure {
  return new StepFailure(reason, { isPassing: false });
}

/** Another attempt may succeed. */
export function passingFailure(reason: string, cause?: unknown): StepFailure {
  return new StepFailure(reason, { isPassing: true, cause });
}

/** Seconds until work is asked after again that could not be asked after. */
const POLL_AFTER_FAILURE_SECONDS = 10;
const MAX_POLL_SECONDS = 3_600;

/**
 * What came of the work: failures that are thrown are outcomes, other faults are thrown on.
 *
 * @param standing what stands although the work failed.
 */
export async function outcomeOf(
  work: () => Promise<StepOutcome>,
  standing?: () => BoundedOutputs,
): Promise<StepOutcome> {
  try {
    return await work();
  } catch (fault) {
    return { ...failed(asFailure(fault)), ...standing?.() };
  }
}

/** What came of asking after work: that one could not ask says nothing of the work, which goes on until its time is over. */
export async function outcomeOfPoll(handle: Json, work: () => Promise<StepOutcome>): Promise<StepOutcome> {
  try {
    return await work();
  } catch (fault) {
    const failure = asFailure(fault);
    const { isPassing, message, retryAfterSeconds = POLL_AFTER_FAILURE_SECONDS } = failure;
    return isPassing ? pending(handle, retryAfterSeconds, [message]) : failed(failure);
  }
}

/** @param afterSeconds what was asked for; it is at least a second, and an hour at the most. */
export function pending(handle: Json, afterSeconds: number, log: readonly string[] = []): StepOutcome {
  const pollAfterSeconds = Math.min(Math.max(afterSeconds, 1), MAX_POLL_SECONDS);
  return { state: 'pending', handle, pollAfterSeconds, log };
}

/** The outcome that says so. */
export function failed({ message, isPassing }: StepFailure): StepOutcome {
  return { state: 'failed', reason: message, isPassing };
}

function asFailure(fault: unknown): StepFailure {
  if (fault instanceof StepFailure) {
    return fault;
  }
  throw fault;
}
