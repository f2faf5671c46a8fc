import type { EnvironmentValue } from '../environment.ts';

/** What the planned destruction of an environment calls for. */
export type DestructionStep =
  | { readonly type: 'none' }
  /** Nothing before `at`, in milliseconds since the Unix epoch. */
  | { readonly type: 'wait'; readonly at: number }
  | { readonly type: 'warn' | 'destroy'; readonly plannedFor: string };

/**
 * What is to be done now. Whatever the time that is planned, and however late one looks, the warning comes before; a warning for another time
 * counts where it came no earlier than this one's would have.
 *
 * @param warning milliseconds by which the warning comes before.
 * @param operation the one that destroys it as planned.
 */
export function destructionStep(
  environment: EnvironmentValue,
  now: number,
  warning: number,
  operation: string | undefined,
): DestructionStep {
  const { state, destructionPlannedOn: plannedFor, destructionWarnedOn, destructionOperation } = environment;
  const isAsked = destructionOperation !== undefined && destructionOperation === operation;
  if (plannedFor === undefined || isAsked || state === 'Destroying' || state === 'Destroyed') {
    return { type: 'none' };
  }
  const planned = Date.parse(plannedFor);
  const warnAt = planned - warning;
  const isWarned = destructionWarnedOn !== undefined && Date.parse(destructionWarnedOn) >= warnAt;
  if (!isWarned) {
    return now >= warnAt ? { type: 'warn', plannedFor } : { type: 'wait', at: warnAt };
  }
  return now >= planned ? { type: 'destroy', plannedFor } : { type: 'wait', at: planned };
}
