import type { FilledIn, Lane, Operation, StepValue } from '../../operations/index.ts';
import type { Clock } from '../../platform/clock.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import type { Records } from '../../records/index.ts';
import {
  environmentKey,
  environmentLaneKey,
  environmentScope,
  type ResourceValue,
  resourceKey,
} from '../environment.ts';
import type { EnvironmentPlanner } from '../planning/environment-planner.ts';
import { fillInOutputs, type Outputs, resourcesAwaited } from '../planning/fill-in-outputs.ts';
import type { Templates } from '../templates/templates.ts';

/** What the rules of an environment's commands work with. */
export interface EnvironmentRuleParts {
  readonly records: Records;
  readonly templates: Templates;
  readonly environmentPlanner: EnvironmentPlanner;
  readonly clock: Clock;
  /** Looks at an environment whose operation is over: whether it is well, and when it is to end. */
  readonly attendEnvironment?: (ns: string, id: string) => Promise<unknown>;
}

/** Outputs that are read at a time. */
const AT_ONCE = 8;

export function environmentLane(ns: string, id: string): Lane {
  return { scope: environmentScope(ns, id), key: environmentLaneKey(id), session: id };
}

/** What the sweep is to look at: the environment's health and its planned end. */
export function environmentAlarm(ns: string, id: string) {
  return { scope: environmentScope(ns, id), key: environmentKey(id) };
}

/** Fills in what earlier steps, of this operation or another, have put out. */
export async function fillInStep(
  records: Records,
  environment: string,
  { ns }: Operation<unknown>,
  step: StepValue,
): Promise<FilledIn> {
  if (step.action === undefined) {
    throw new Error(`The step ${step.id} has no action.`);
  }
  const ids = [
    ...new Set([...resourcesAwaited(step.action), ...(step.resource === undefined ? [] : [step.resource])]),
  ];
  const found = await mapConcurrently(ids, AT_ONCE, async (id) => {
    const record = await records.get<ResourceValue>(
      environmentScope(ns, environment),
      resourceKey(environment, id),
    );
    return [id, record?.value.outputs] as const;
  });
  const outputs = new Map<string, Outputs | undefined>(found);
  return {
    action: fillInOutputs(step.action, (id) => outputs.get(id)),
    outputs: (step.resource === undefined ? undefined : outputs.get(step.resource)) ?? {},
    environment,
  };
}
