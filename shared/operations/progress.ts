import type { OperationValue, StepState, StepValue } from './operation.ts';

const ENDS: ReadonlySet<StepState> = new Set(['succeeded', 'failed', 'cancelled', 'skipped']);

export function isEnded({ state }: Pick<StepValue, 'state'>): boolean {
  return ENDS.has(state);
}

export function hasBegun({ attempts }: Pick<StepValue, 'attempts'>): boolean {
  return attempts > 0;
}

/** Whether it waits and has not begun. */
export function isUntouched(step: Pick<StepValue, 'state' | 'attempts'>): boolean {
  return step.state === 'waiting' && !hasBegun(step);
}

/** Whether its turn has come and it is not done: it counts among those that are under way at a time. */
export function isUnderWay(step: Pick<StepValue, 'state' | 'attempts'>): boolean {
  return step.state === 'ready' || step.state === 'running' || (step.state === 'waiting' && hasBegun(step));
}

/** When something is to be done about a step that is under way, in milliseconds since the Unix epoch. */
export function wakeTime({ state, claimedUntil, nextAt }: StepValue): number {
  return state === 'ready' ? 0 : Date.parse(claimedUntil ?? nextAt ?? '1970-01-01');
}

/** Whether no further steps begin. */
export function isClosing({ error, cancelRequestedAt }: OperationValue): boolean {
  return error !== undefined || cancelRequestedAt !== undefined;
}
