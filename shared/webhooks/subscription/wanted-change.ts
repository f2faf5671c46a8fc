import { jsonEquals } from '../../platform/json-equals.ts';
import { pointerSteps, valueAt } from '../../platform/json-pointer.ts';
import type { Change, Json } from '../../records/index.ts';
import type { SubscriptionValue } from './subscription.ts';

/** Whether a change that a subscription's key covers is also of a type, and at a place, that it wants to hear of. */
export function wants(
  { types, changed }: Pick<SubscriptionValue, 'types' | 'changed'>,
  change: Change<Json>,
): boolean {
  return (
    (types === undefined || types.includes(change.type)) &&
    (changed === undefined || differsAt(change, changed))
  );
}

/**
 * Whether the values before and after a change differ at any of some JSON Pointers. That something is missing is a value of its
 * own: creation and removal differ where it is there on one side.
 */
export function differsAt({ previous, value }: Change<Json>, pointers: readonly string[]): boolean {
  return pointers.some((pointer) => {
    const steps = pointerSteps(pointer);
    return !jsonEquals(valueAt(previous?.value, steps), valueAt(value, steps));
  });
}
