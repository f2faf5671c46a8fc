import type { Current, StepValue, Writes } from '../../operations/index.ts';
import { toTimestamp } from '../../platform/clock.ts';
import {
  environmentKey,
  groupKey,
  type ResourceValue,
  resourceKey,
  type TemplateUse,
} from '../environment.ts';
import type { StepMemo } from '../planning/plan-changes.ts';
import { environmentIn, putRecord, removeRecord, resourceIn } from './write-record.ts';

/** The records that the end of a step of an environment is about. */
export function stepKeys(environment: string, step: StepValue): string[] {
  const memo = memoOf(step);
  return [
    environmentKey(environment),
    ...(step.resource === undefined ? [] : [resourceKey(environment, step.resource)]),
    ...(memo !== undefined && 'group' in memo ? [groupKey(environment, memo.group)] : []),
  ];
}

/** What the end of a step changes in the records of its environment. */
export function stepChanges(environment: string, step: StepValue, current: Current, now: number): Writes {
  const memo = memoOf(step);
  if (memo !== undefined && 'group' in memo) {
    return step.state === 'succeeded' ? groupChanges(environment, memo, current) : [];
  }
  if (step.resource === undefined || step.state === 'skipped') {
    return [];
  }
  const key = resourceKey(environment, step.resource);
  const standing = resourceIn(current, environment, step.resource);
  if (step.verb === 'destroy' && step.state === 'succeeded') {
    return removeRecord(current, key);
  }
  const value =
    memo === undefined ? looked(standing, step) : made(environment, memo, standing, step, current, now);
  const next =
    isFailure(step) && step.verb !== 'run' && step.verb !== 'refresh' ? failed(value, step, now) : value;
  return next === undefined ? [] : putRecord(current, key, next);
}

function memoOf(step: StepValue): StepMemo | undefined {
  return step.memo as StepMemo | undefined;
}

function isFailure({ state }: StepValue): boolean {
  return state === 'failed' || state === 'cancelled';
}

function groupChanges(
  environment: string,
  { group, value }: Extract<StepMemo, { readonly group: string }>,
  current: Current,
): Writes {
  const key = groupKey(environment, group);
  if (value === undefined) {
    return removeRecord(current, key);
  }
  const template = useOf(environment, value.template, current);
  return putRecord(current, key, { ...value, template });
}

/** The resource as it is made or changed. What failed to be changed stays what it was, with what the step left behind all the same. */
function made(
  environment: string,
  { resource, template }: Extract<StepMemo, { readonly template: string }>,
  standing: ResourceValue | undefined,
  step: StepValue,
  current: Current,
  now: number,
): ResourceValue | undefined {
  if (isFailure(step) && standing !== undefined) {
    return withOutputs(standing, step);
  }
  const outputs = step.outputs ?? standing?.outputs;
  const isMade = step.state === 'succeeded';
  const createdOn = standing?.createdOn ?? (isMade ? toTimestamp(now) : undefined);
  return {
    ...resource,
    template: useOf(environment, template, current),
    ...(createdOn !== undefined && { createdOn }),
    status: 'ok',
    statusSince: standing?.status === 'ok' ? standing.statusSince : toTimestamp(now),
    ...(outputs !== undefined && { outputs }),
    ...(standing?.health !== undefined && { health: standing.health }),
  };
}

function failed(value: ResourceValue | undefined, step: StepValue, now: number): ResourceValue | undefined {
  return (
    value && {
      ...value,
      status: 'failed',
      statusSince: value.status === 'failed' ? value.statusSince : toTimestamp(now),
      detail: step.error ?? `The step ${step.id} was cancelled.`,
    }
  );
}

function withOutputs(standing: ResourceValue, { outputs }: StepValue): ResourceValue {
  return outputs === undefined ? standing : { ...standing, outputs: { ...standing.outputs, ...outputs } };
}

/** The resource after an action was run on it, or it was looked at. */
function looked(standing: ResourceValue | undefined, step: StepValue): ResourceValue | undefined {
  if (standing !== undefined && step.verb === 'run') {
    return withOutputs(standing, step);
  }
  if (standing === undefined || step.state !== 'succeeded' || step.observation === undefined) {
    return standing;
  }
  const { drift: _, ...rest } = standing;
  const { exists, difference } = step.observation;
  const drift = exists ? difference : `It is not there. ${difference ?? ''}`.trim();
  return drift === undefined ? rest : { ...rest, drift };
}

/** The template as the environment has it: pinned before the first step, and the same until the operation is over. */
function useOf(environment: string, template: string, current: Current): TemplateUse {
  const use = environmentIn(current, environment)?.templates.find(({ id }) => id === template);
  if (use === undefined) {
    throw new Error(`The environment ${environment} is not made from the template ${template}.`);
  }
  return use;
}
