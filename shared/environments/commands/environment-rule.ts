import type { z } from 'zod';
import type {
  CommandRule,
  Current,
  FilledIn,
  Lane,
  Operation,
  OperationEnd,
  PlannedStep,
  StepValue,
  Writes,
} from '../../operations/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { SkerryError } from '../../platform/errors.ts';
import type { Touch } from '../../platform/http/index.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import type { Records } from '../../records/index.ts';
import {
  environmentKey,
  environmentLaneKey,
  environmentScope,
  type ResourceValue,
  resourceKey,
} from '../environment.ts';
import { unknownEnvironment } from '../environments.ts';
import type { EnvironmentPlanner } from '../planning/environment-planner.ts';
import { fillInOutputs, type Outputs, resourcesAwaited } from '../planning/fill-in-outputs.ts';
import type { Templates } from '../templates/templates.ts';
import { stepChanges, stepKeys } from './step-changes.ts';

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

/** What the sweep is to look at: the environment's health and its planned end. */
export function environmentAlarm(ns: string, id: string) {
  return { scope: environmentScope(ns, id), key: environmentKey(id) };
}

/** What all commands about one environment have in common: its lane, and what their steps leave in its records. */
export abstract class EnvironmentRule<Data> implements CommandRule<Data> {
  abstract readonly type: string;
  abstract readonly summary: string;
  abstract readonly schema: z.ZodType<Data>;
  protected readonly parts: EnvironmentRuleParts;

  constructor(parts: EnvironmentRuleParts) {
    this.parts = parts;
  }

  /** The id of the environment that the command is about. */
  protected abstract environmentOf(data: Data): string;

  abstract check(ns: string, data: Data): Promise<void>;
  abstract begin(operation: Operation<Data>, current: Current, now: number): Writes;
  abstract plan(operation: Operation<Data>): Promise<readonly PlannedStep[]>;
  abstract conclude(operation: Operation<Data>, end: OperationEnd, current: Current, now: number): Writes;

  lane(ns: string, data: Data): Lane {
    const id = this.environmentOf(data);
    return { scope: environmentScope(ns, id), key: environmentLaneKey(id), session: id };
  }

  touches(data: Data): Touch[] {
    return [{ verb: 'write', keys: environmentKey(this.environmentOf(data)) }];
  }

  missing(ns: string, data: Data): SkerryError {
    return unknownEnvironment(ns, this.environmentOf(data));
  }

  keys({ data }: Operation<Data>): string[] {
    return [environmentKey(this.environmentOf(data))];
  }

  /** Fills in what earlier steps, of this operation or another, have put out. */
  async fillIn({ ns, data }: Operation<Data>, step: StepValue): Promise<FilledIn> {
    const environment = this.environmentOf(data);
    if (step.action === undefined) {
      throw new Error(`The step ${step.id} has no action.`);
    }
    const ids = [
      ...new Set([...resourcesAwaited(step.action), ...(step.resource === undefined ? [] : [step.resource])]),
    ];
    const found = await mapConcurrently(ids, AT_ONCE, async (id) => {
      const record = await this.parts.records.get<ResourceValue>(
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

  stepKeys({ data }: Operation<Data>, step: StepValue): string[] {
    return stepKeys(this.environmentOf(data), step);
  }

  stepEnded({ data }: Operation<Data>, step: StepValue, current: Current, now: number): Writes {
    return stepChanges(this.environmentOf(data), step, current, now);
  }
}
