import type { StoredRecord } from '../records/index.ts';
import { type OperationValue, operationKey, type StepValue, stepKey } from './operation.ts';
import { type OperationRecord, type OperationWrites, putStep } from './operation-record.ts';
import { isClosing, isUnderWay, progressOf } from './progress.ts';

/*
 * Which steps begin next, and that there are never more under way than allowed, though many processes end steps at a time and none of them need
 * have seen what the others did. Each knows some earlier state of all steps, and decides on the newest of those that it names:
 *
 * 1. It names all that were under way, and those that it lets begin: the first that could begin already, then what its own step was waited for by.
 * 2. If one of the former is no longer under way, or one of the latter no longer waits, others were faster, and it lets none begin.
 * 3. Whoever ended a step then looks again, at a state with its own change in it, and lets begin what there is still room for. Of several that
 *    end at a time, the last sees what all of them did.
 *
 * Another one could let steps begin unseen only where there was room in the state that it knew: then the first that it let begin is among those
 * named here too, or else it saw a step end that counts here as under way.
 */

export interface StepMarks {
  /** The steps whose turn it is. */
  readonly steps: readonly StepValue[];
  /** What `decide` looks at. */
  readonly keys: readonly string[];
  /** Lets them begin, or none of them. */
  decide(current: ReadonlyMap<string, StoredRecord<OperationRecord>>): OperationWrites;
}

/**
 * @param steps of the operation, as they were known a moment ago.
 * @param limit of steps that are under way at a time.
 * @param succeeded the step that ends by the same transaction.
 */
export function markSteps(
  operation: string,
  steps: readonly StepValue[],
  limit: number,
  succeeded?: string,
): StepMarks {
  const before = progressOf(steps);
  const others = before.underWay.filter(({ id }) => id !== succeeded);
  const marked = eligibleAfter(steps, succeeded, before.eligible).slice(
    0,
    Math.max(0, limit - others.length),
  );
  const stepIn = (current: ReadonlyMap<string, StoredRecord<OperationRecord>>, id: string) =>
    current.get(stepKey(operation, id))?.value as StepValue | undefined;
  return {
    steps: marked,
    keys: [operationKey(operation), ...[...others, ...marked].map(({ id }) => stepKey(operation, id))],
    decide(current) {
      const value = current.get(operationKey(operation))?.value as OperationValue | undefined;
      const isAsKnown =
        value?.state === 'running' &&
        !isClosing(value) &&
        others.every(({ id }) => isStill(stepIn(current, id), isUnderWay)) &&
        marked.every(({ id }) => isStill(stepIn(current, id), isUntouched));
      return isAsKnown ? marked.map((step) => putStep(operation, { ...step, state: 'ready' })) : [];
    },
  };
}

/** Those that could begin already come first. */
function eligibleAfter(
  steps: readonly StepValue[],
  succeeded: string | undefined,
  before: readonly StepValue[],
): readonly StepValue[] {
  if (succeeded === undefined) return before;
  const known = new Set(before);
  const ended = steps.map((step) =>
    step.id === succeeded ? { ...step, state: 'succeeded' as const } : step,
  );
  return [...before, ...progressOf(ended).eligible.filter((step) => !known.has(step))];
}

function isStill(step: StepValue | undefined, holds: (step: StepValue) => boolean): boolean {
  return step !== undefined && holds(step);
}

function isUntouched({ state, attempts }: StepValue): boolean {
  return state === 'waiting' && attempts === 0;
}
