import type { StoredRecord } from '../records/index.ts';
import { type OperationValue, operationKey, type StepValue, stepKey } from './operation.ts';
import type { OperationRecord } from './operation-record.ts';
import { isClosing, isUnderWay, isUntouched } from './progress.ts';
import type { StepBoard } from './step-board.ts';

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
  /** Ids of the steps whose turn it is. */
  readonly ids: readonly string[];
  /** What `decide` looks at. */
  readonly keys: readonly string[];
  /** @returns the steps that begin: all of them, or none. */
  decide(current: ReadonlyMap<string, StoredRecord<OperationRecord>>): readonly StepValue[];
}

/**
 * @param board of the operation, as it was known a moment ago.
 * @param limit of steps that are under way at a time.
 * @param succeeded the step that ends by the same transaction.
 */
export function markSteps(operation: string, board: StepBoard, limit: number, succeeded?: string): StepMarks {
  const others = board.underWay.flatMap(({ id }) => (id === succeeded ? [] : id));
  const eligible = [...board.eligible, ...(succeeded === undefined ? [] : board.unlockedBy(succeeded))];
  const ids = eligible.slice(0, Math.max(0, limit - others.length));
  return {
    ids,
    keys: [operationKey(operation), ...[...others, ...ids].map((id) => stepKey(operation, id))],
    decide(current) {
      const value = current.get(operationKey(operation))?.value as OperationValue | undefined;
      if (value?.state !== 'running' || isClosing(value)) return [];
      const stepOf = (id: string) => current.get(stepKey(operation, id))?.value as StepValue | undefined;
      const steps = ids.map(stepOf).filter((step) => step !== undefined && isUntouched(step));
      const isAsKnown = steps.length === ids.length && others.every((id) => isStillUnderWay(stepOf(id)));
      return isAsKnown
        ? steps.flatMap((step) => step ?? []).map((step) => ({ ...step, state: 'ready' }))
        : [];
    },
  };
}

function isStillUnderWay(step: StepValue | undefined): boolean {
  return step !== undefined && isUnderWay(step);
}
