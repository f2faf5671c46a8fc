import type { z } from 'zod';
import type {
  CommandRule,
  Current,
  Operation,
  OperationEnd,
  PlannedStep,
  StepValue,
  Writes,
} from '../../operations/index.ts';
import { toTimestamp } from '../../platform/clock.ts';
import { conflict } from '../../platform/errors.ts';
import { type EnvironmentValue, environmentKey } from '../environment.ts';
import { type DestroyData, destroyDataSchema } from '../environment-schema.ts';
import { readEnvironment, standing } from '../standing.ts';
import { transition } from '../state-machine.ts';
import { type EnvironmentRuleParts, environmentLane, fillInStep } from './environment-rule.ts';
import { stepChanges, stepKeys } from './step-changes.ts';
import { environmentIn, putEnvironment } from './write-record.ts';

/** `environment.destroy`: steps take away all that templates made. */
export class DestructionRule implements CommandRule<DestroyData> {
  readonly type = 'environment.destroy';
  readonly summary = 'Destroys all that templates made of an environment, in reverse.';
  readonly schema: z.ZodType<DestroyData> = destroyDataSchema;
  readonly #parts: EnvironmentRuleParts;

  constructor(parts: EnvironmentRuleParts) {
    this.#parts = parts;
  }

  lane(ns: string, { environment }: DestroyData) {
    return environmentLane(ns, environment);
  }

  async check(ns: string, { environment }: DestroyData): Promise<void> {
    standing(ns, environment, await readEnvironment(this.#parts.records, ns, environment));
  }

  keys({ data }: Operation<DestroyData>): string[] {
    return [environmentKey(data.environment)];
  }

  begin({ ns, data }: Operation<DestroyData>, current: Current, now: number): Writes {
    const id = data.environment;
    const value = standing(ns, id, environmentIn(current, id));
    checkPlanned(data, value);
    return putEnvironment(current, id, transition(value, 'Destroying', now));
  }

  async plan({ ns, data }: Operation<DestroyData>): Promise<readonly PlannedStep[]> {
    return (await this.#parts.environmentPlanner.planDestruction(ns, data.environment)).steps;
  }

  fillIn(operation: Operation<DestroyData>, step: StepValue) {
    return fillInStep(this.#parts.records, operation.data.environment, operation, step);
  }

  stepKeys({ data }: Operation<DestroyData>, step: StepValue): string[] {
    return stepKeys(data.environment, step);
  }

  stepEnded({ data }: Operation<DestroyData>, step: StepValue, current: Current, now: number): Writes {
    return stepChanges(data.environment, step, current, now);
  }

  conclude({ data }: Operation<DestroyData>, end: OperationEnd, current: Current, now: number): Writes {
    const id = data.environment;
    const value = environmentIn(current, id);
    if (value?.state !== 'Destroying') {
      return [];
    }
    const next =
      end.outcome === 'succeeded'
        ? { ...transition(value, 'Destroyed', now), destroyedOn: toTimestamp(now) }
        : transition(value, 'Deployed-Fail', now, end.error?.reason ?? 'The destruction was cancelled.');
    return putEnvironment(current, id, next);
  }
}

function checkPlanned(
  { plannedFor }: DestroyData,
  { destructionPlannedOn: planned }: EnvironmentValue,
): void {
  if (plannedFor !== undefined && (planned === undefined || Date.parse(planned) !== Date.parse(plannedFor))) {
    throw conflict(
      `The destruction is ${planned === undefined ? 'no longer planned' : `planned for ${planned}`}, not for ${plannedFor}.`,
      { fix: 'Leave plannedFor out to destroy the environment all the same.' },
    );
  }
}
