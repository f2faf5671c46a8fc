import type { z } from 'zod';
import type {
  Current,
  LaneValue,
  Operation,
  OperationEnd,
  PlannedStep,
  Writes,
} from '../../operations/index.ts';
import { toTimestamp } from '../../platform/clock.ts';
import { conflict } from '../../platform/errors.ts';
import { canonicalPath, type Touch } from '../../platform/http/index.ts';
import type { Decisions, Json, StoredRecord } from '../../records/index.ts';
import {
  type EnvironmentValue,
  environmentKey,
  environmentLaneKey,
  environmentScope,
} from '../environment.ts';
import {
  type CreateData,
  createDataSchema,
  type EnvironmentChange,
  type UpdateData,
  updateDataSchema,
} from '../environment-schema.ts';
import { refuseFaults } from '../faults.ts';
import type { EnvironmentPlan } from '../planning/environment-planner.ts';
import { destroyed, readEnvironment, standing } from '../standing.ts';
import { FIRST_STATE, transition } from '../state-machine.ts';
import { templateKey } from '../templates/template.ts';
import { EnvironmentRule, environmentAlarm } from './environment-rule.ts';
import { environmentIn, putEnvironment, putRecord } from './write-record.ts';

interface Pinned extends Decisions<Json> {
  readonly isFirst: boolean;
}

/** `environment.create` and `environment.update`: steps make the environment what it is wanted to be. */
abstract class DeploymentRule<
  Data extends { readonly environment: EnvironmentChange },
> extends EnvironmentRule<Data> {
  /** The environment as it begins to be deployed. */
  protected abstract begun(
    operation: Operation<Data>,
    value: EnvironmentValue | undefined,
    now: number,
  ): EnvironmentValue;

  protected abstract checkStanding(ns: string, id: string, value: EnvironmentValue | undefined): void;

  protected environmentOf({ environment }: Data): string {
    return environment.id;
  }

  /** Whoever plans its destruction is to be allowed to destroy it: that is done without asking anybody. */
  override touches(data: Data): Touch[] {
    const { templates = [], destructionPlannedOn } = data.environment;
    return [
      ...super.touches(data),
      ...(destructionPlannedOn == null
        ? []
        : [{ verb: 'delete', keys: environmentKey(data.environment.id) } as const]),
      ...templates.map(({ id }) => ({ verb: 'read', keys: templateKey(id) }) as const),
    ];
  }

  async check(ns: string, { environment }: Data): Promise<void> {
    const { records, environmentPlanner, clock } = this.parts;
    this.checkStanding(ns, environment.id, await readEnvironment(records, ns, environment.id));
    checkDestruction(environment, clock.now());
    await environmentPlanner.plan(ns, environment);
  }

  alarms({ ns, data }: Operation<Data>) {
    return [environmentAlarm(ns, data.environment.id)];
  }

  async concluded({ ns, data }: Operation<Data>): Promise<void> {
    await this.parts.attendEnvironment?.(ns, data.environment.id);
  }

  begin(operation: Operation<Data>, current: Current, now: number): Writes {
    const { id } = operation.data.environment;
    const value = environmentIn(current, id);
    this.checkStanding(operation.ns, id, value);
    checkDestruction(operation.data.environment, now);
    return putEnvironment(current, id, this.begun(operation, value, now));
  }

  /** Whoever plans it, and however often: in the versions of the templates that were written down first. */
  async plan(operation: Operation<Data>): Promise<readonly PlannedStep[]> {
    const { ns, data } = operation;
    const templates = await this.#pinned(operation);
    const plan = await this.parts.environmentPlanner.plan(ns, {
      ...data.environment,
      ...(templates !== undefined && { templates: [...templates] }),
    });
    if (templates === undefined && !(await this.#pin(operation, plan))) {
      return await this.plan(operation);
    }
    return plan.steps;
  }

  /** What was written down for this operation; undefined where nothing was. */
  async #pinned({
    ns,
    id: operation,
    data,
  }: Operation<Data>): Promise<EnvironmentValue['templates'] | undefined> {
    const { records } = this.parts;
    const { id } = data.environment;
    const lane = await records.get<LaneValue>(environmentScope(ns, id), environmentLaneKey(id));
    const { active } = lane?.value ?? {};
    return active?.operation === operation && active.isPinned
      ? (await readEnvironment(records, ns, id))?.templates
      : undefined;
  }

  /** Writes down which versions of the templates it is, before anything is made from them; false where that has been done. */
  async #pin(operation: Operation<Data>, { templates, entrypoints }: EnvironmentPlan): Promise<boolean> {
    const { ns, data, actor } = operation;
    const { id } = data.environment;
    const [key, laneKey] = [environmentKey(id), environmentLaneKey(id)];
    const { decided } = await this.parts.records.transact<Json, Pinned>(environmentScope(ns, id), {
      keys: [key, laneKey],
      actor,
      decide: (current) => {
        const [lane, active] = activeIn(current.get(laneKey), operation.id);
        if (active.isPinned) {
          return { isFirst: false, writes: [] };
        }
        const value = standing(ns, id, environmentIn(current, id));
        return {
          isFirst: true,
          writes: [
            ...putEnvironment(current, id, { ...value, templates, entrypoints }),
            ...putRecord(current, laneKey, { ...lane, active: { ...active, isPinned: true } }),
          ],
        };
      },
    });
    return decided.isFirst;
  }

  conclude({ data }: Operation<Data>, end: OperationEnd, current: Current, now: number): Writes {
    const { id } = data.environment;
    const value = environmentIn(current, id);
    if (value?.state !== 'Deploying') {
      return [];
    }
    const next =
      end.outcome === 'succeeded'
        ? transition(value, 'Deployed-Validating', now)
        : transition(value, 'Deployed-Fail', now, end.error?.reason ?? 'The deployment was cancelled.');
    return putEnvironment(current, id, next);
  }
}

export class CreationRule extends DeploymentRule<CreateData> {
  readonly type = 'environment.create';
  readonly summary = 'Makes an environment from templates.';
  readonly schema: z.ZodType<CreateData> = createDataSchema;

  protected checkStanding(ns: string, id: string, value: EnvironmentValue | undefined): void {
    if (value?.state === 'Destroyed') {
      throw destroyed(ns, id);
    }
    if (value !== undefined) {
      throw conflict(`There is an environment "${id}" already.`, {
        fix: `Change it with PUT ${canonicalPath(ns, `environments/${id}`)}, or take another id.`,
      });
    }
  }

  protected begun(
    { data }: Operation<CreateData>,
    _: EnvironmentValue | undefined,
    now: number,
  ): EnvironmentValue {
    const { name, description, tags = [], destructionPlannedOn } = data.environment;
    const { entrypoints = [], statusEndpoints = [] } = data.environment;
    return {
      name,
      ...(description !== undefined && { description }),
      tags,
      state: FIRST_STATE,
      stateSince: toTimestamp(now),
      createdOn: toTimestamp(now),
      ...(destructionPlannedOn && { destructionPlannedOn: inUtc(destructionPlannedOn) }),
      templates: [],
      entrypoints,
      statusEndpoints,
    };
  }
}

export class UpdateRule extends DeploymentRule<UpdateData> {
  readonly type = 'environment.update';
  readonly summary = 'Changes an environment; what is left out stays.';
  readonly schema: z.ZodType<UpdateData> = updateDataSchema;

  protected checkStanding(ns: string, id: string, value: EnvironmentValue | undefined): void {
    standing(ns, id, value);
  }

  protected begun(
    { ns, data }: Operation<UpdateData>,
    value: EnvironmentValue | undefined,
    now: number,
  ): EnvironmentValue {
    const { id, name, description, tags, destructionPlannedOn, statusEndpoints } = data.environment;
    const begun = transition(standing(ns, id, value), 'Deploying', now);
    return {
      ...(destructionPlannedOn === undefined ? begun : withDestruction(begun, destructionPlannedOn)),
      ...(name !== undefined && { name }),
      ...(description !== undefined && { description }),
      ...(tags !== undefined && { tags }),
      ...(statusEndpoints !== undefined && { statusEndpoints }),
    };
  }
}

/** Another time is warned of, and asked for, anew. */
function withDestruction(value: EnvironmentValue, plannedOn: string | null): EnvironmentValue {
  const planned = plannedOn === null ? undefined : inUtc(plannedOn);
  if (planned === value.destructionPlannedOn) {
    return value;
  }
  const { destructionPlannedOn: _, destructionWarnedOn: __, destructionOperation: ___, ...rest } = value;
  return { ...rest, ...(planned !== undefined && { destructionPlannedOn: planned }) };
}

/** The last that can be written as RFC 3339 in UTC. */
const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z');

function checkDestruction({ destructionPlannedOn }: EnvironmentChange, now: number): void {
  if (destructionPlannedOn == null) return;
  const planned = Date.parse(destructionPlannedOn);
  const path = ['destructionPlannedOn'];
  if (planned <= now) {
    const fix = 'Plan it for later, or destroy the environment now.';
    refuseFaults([{ path, detail: `${destructionPlannedOn} is over.`, fix }]);
  }
  if (planned > LAST_TIME) {
    const fix = 'Plan it for earlier, or not at all.';
    refuseFaults([{ path, detail: `${destructionPlannedOn} is after the year 9999.`, fix }]);
  }
}

/** @throws SkerryError `conflict` where the operation is not the active one, or has come to its end. */
function activeIn(
  record: StoredRecord<Json> | undefined,
  operation: string,
): readonly [LaneValue, NonNullable<LaneValue['active']>] {
  const lane = record?.value as LaneValue | undefined;
  if (lane?.active?.operation !== operation || lane.active.outcome !== undefined) {
    throw conflict('The operation is no longer the one that works on the environment.');
  }
  return [lane, lane.active];
}

function inUtc(time: string): string {
  return toTimestamp(Date.parse(time));
}
