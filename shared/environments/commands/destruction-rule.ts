import type { z } from 'zod';
import type { Current, Operation, OperationEnd, PlannedStep, Writes } from '../../operations/index.ts';
import { toTimestamp } from '../../platform/clock.ts';
import { conflict } from '../../platform/errors.ts';
import type { Touch } from '../../platform/http/index.ts';
import { type EnvironmentValue, environmentKey } from '../environment.ts';
import { type DestroyData, destroyDataSchema } from '../environment-schema.ts';
import { readEnvironment, standing } from '../standing.ts';
import { transition } from '../state-machine.ts';
import { EnvironmentRule } from './environment-rule.ts';
import { environmentIn, putEnvironment } from './write-record.ts';

/** `environment.destroy`: steps take away all that templates made. */
export class DestructionRule extends EnvironmentRule<DestroyData> {
  readonly type = 'environment.destroy';
  readonly summary = 'Destroys all that templates made of an environment, in reverse.';
  readonly schema: z.ZodType<DestroyData> = destroyDataSchema;

  override touches({ environment }: DestroyData): Touch[] {
    return [{ verb: 'delete', keys: environmentKey(environment) }];
  }

  protected environmentOf({ environment }: DestroyData): string {
    return environment;
  }

  async check(ns: string, { environment }: DestroyData): Promise<void> {
    standing(ns, environment, await readEnvironment(this.parts.records, ns, environment));
  }

  begin({ ns, data }: Operation<DestroyData>, current: Current, now: number): Writes {
    const id = data.environment;
    const value = standing(ns, id, environmentIn(current, id));
    checkPlanned(data, value);
    return putEnvironment(current, id, transition(value, 'Destroying', now));
  }

  async plan({ ns, data }: Operation<DestroyData>): Promise<readonly PlannedStep[]> {
    return (await this.parts.environmentPlanner.planDestruction(ns, data.environment)).steps;
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
