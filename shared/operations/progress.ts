import type { OperationValue, StepState, StepValue } from './operation.ts';

const ENDS: ReadonlySet<StepState> = new Set(['succeeded', 'failed', 'cancelled', 'skipped']);

export function isEnded({ state }: StepValue): boolean {
  return ENDS.has(state);
}

/** Whether its turn has come and it is not done: it counts among those that are under way at a time. */
export function isUnderWay(step: StepValue): boolean {
  return step.state === 'ready' || step.state === 'running' || (step.state === 'waiting' && hasBegun(step));
}

export function hasBegun({ attempts }: StepValue): boolean {
  return attempts > 0;
}

/** When something is to be done about a step that is under way, in milliseconds since the Unix epoch. */
export function wakeTime({ state, claimedUntil, nextAt }: StepValue): number {
  return state === 'ready' ? 0 : Date.parse(claimedUntil ?? nextAt ?? '1970-01-01');
}

/** Whether no further steps begin. */
export function isClosing({ error, cancelRequestedAt }: OperationValue): boolean {
  return error !== undefined || cancelRequestedAt !== undefined;
}

/** How far a plan is. */
export interface Progress {
  readonly underWay: readonly StepValue[];
  /** Steps that wait for nothing but their turn, in the order of their ids. */
  readonly eligible: readonly StepValue[];
  /** Steps that have not begun, whatever they wait for. */
  readonly left: number;
}

export function progressOf(steps: Iterable<StepValue>): Progress {
  const succeeded = new Set<string>();
  const underWay: StepValue[] = [];
  const waiting: StepValue[] = [];
  for (const step of steps) {
    if (step.state === 'succeeded') succeeded.add(step.id);
    else if (isUnderWay(step)) underWay.push(step);
    else if (step.state === 'waiting') waiting.push(step);
  }
  const eligible = waiting.filter(({ dependsOn }) => dependsOn.every((id) => succeeded.has(id)));
  return { underWay, eligible, left: waiting.length };
}

/** The steps whose turn comes, so that no more than `limit` are under way. */
export function nextSteps({ underWay, eligible }: Progress, limit: number): readonly StepValue[] {
  return eligible.slice(0, Math.max(0, limit - underWay.length));
}
