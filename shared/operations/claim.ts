import { toTimestamp } from '../platform/clock.ts';
import type { Operation } from './command-rule.ts';
import { CLAIM_MARGIN, DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_SECONDS } from './limits.ts';
import { isOver, type StepValue } from './operation.ts';
import { hasBegun, isClosing, isEnded, isUntouched, wakeTime } from './progress.ts';

/** Milliseconds by which a message may come before its time. */
const TOLERANCE = 1_000;

/** What is to be done about a step that a message names. */
export type Claim =
  | { readonly kind: 'over' }
  /** It has ended, or is not to begin. */
  | { readonly kind: 'nothing'; readonly operation: Operation }
  /** Somebody is at work, or it is not time yet. */
  | { readonly kind: 'later'; readonly operation: Operation; readonly step: StepValue }
  | {
      readonly kind: 'claimed';
      readonly operation: Operation;
      readonly step: StepValue;
      /** Why no further attempt is made. */
      readonly giveUp?: string;
    };

export function decideClaim(
  operation: Operation | undefined,
  step: StepValue | undefined,
  { now, attemptTime }: { readonly now: number; readonly attemptTime: number },
): Claim {
  if (operation === undefined || isOver(operation.state)) {
    return { kind: 'over' };
  }
  const isPlanned = operation.stepCount !== undefined;
  if (!isPlanned || step === undefined || isEnded(step) || isNotToBegin(operation, step)) {
    return { kind: 'nothing', operation };
  }
  if (isUntouched(step)) {
    return { kind: 'nothing', operation };
  }
  if (wakeTime(step) > now + TOLERANCE) {
    return { kind: 'later', operation, step };
  }
  if (operation.cancelRequestedAt !== undefined) {
    return { kind: 'nothing', operation };
  }
  const giveUp = reasonToGiveUp(step, now);
  const isNewAttempt = step.handle === undefined && giveUp === undefined;
  const { nextAt: _, ...rest } = step;
  return {
    kind: 'claimed',
    operation,
    step: {
      ...rest,
      state: 'running',
      attempts: step.attempts + (isNewAttempt ? 1 : 0),
      startedAt: step.startedAt ?? toTimestamp(now),
      claimedUntil: toTimestamp(now + attemptTime + CLAIM_MARGIN),
    },
    ...(giveUp !== undefined && { giveUp }),
  };
}

function isNotToBegin(operation: Operation, step: StepValue): boolean {
  return isClosing(operation) && !hasBegun(step);
}

function reasonToGiveUp(step: StepValue, now: number): string | undefined {
  if (!hasBegun(step)) return undefined;
  const { timeoutSeconds = DEFAULT_TIMEOUT_SECONDS, maxAttempts = DEFAULT_MAX_ATTEMPTS } = step.action ?? {};
  if (isOutOfTime(step, timeoutSeconds, now)) {
    return withLastError(`It was not done within ${timeoutSeconds} s`, step);
  }
  return step.handle === undefined && step.attempts >= maxAttempts
    ? withLastError(`Its ${step.attempts} attempts did not come to an end`, step)
    : undefined;
}

export function isOutOfTime({ startedAt }: StepValue, timeoutSeconds: number, now: number): boolean {
  return startedAt !== undefined && now - Date.parse(startedAt) >= 1000 * timeoutSeconds;
}

export function withLastError(reason: string, { error }: StepValue): string {
  return error === undefined ? `${reason}.` : `${reason}; at last: ${error}`;
}
