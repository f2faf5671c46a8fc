import { FREE_LANE, type LaneValue } from '../operations/index.ts';
import { conflict, notFound, type SkerryError } from '../platform/errors.ts';
import { type Author, canonicalPath, digestOf } from '../platform/http/index.ts';
import { mapConcurrently } from '../platform/map-concurrently.ts';
import type { Records, StoredRecord } from '../records/index.ts';
import {
  ENVIRONMENT_KIND,
  type EnvironmentState,
  type EnvironmentValue,
  environmentKey,
  environmentLaneKey,
  environmentScope,
  type ResourceValue,
  resourcesPrefix,
  type Tag,
  type TemplateUse,
} from './environment.ts';
import { type Drift, driftOf, type UsedTemplate } from './status/drift.ts';
import type { Templates } from './templates/templates.ts';

/** An environment with what its record cannot say. */
export interface Environment extends EnvironmentValue {
  readonly id: string;
  /** Which one works on it; not told by a listing. */
  readonly operation?: string;
  /** How it differs from what it should be; told only where it is asked for. */
  readonly drift?: readonly Drift[];
  /** Of its own record. */
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** An environment with all that belongs to it, as it stood together. */
export interface WholeEnvironment {
  /** Without its drift. */
  readonly environment: Environment;
  /** Of its scope. */
  readonly revision: number;
  /** Differs whenever anything that is told of it does, its drift too, or is going to by an operation that waits; not when one that is over leaves the lane. */
  readonly tag: string;
  /** The environment with its drift, for which the versions of its templates are read. */
  withDrift(): Promise<Environment>;
}

export interface EnvironmentSelection {
  readonly state?: EnvironmentState | undefined;
  /** `NAME:VALUE`; it has all of them. */
  readonly tags?: readonly string[] | undefined;
}

/** Records that one transaction removes of an environment that is forgotten. */
const FORGOTTEN_AT_ONCE = 20;
const TEMPLATES_AT_ONCE = 8;

/** The environments of a namespace. They are made and changed by commands alone (`planning/`), but for what is forgotten. */
export class Environments {
  readonly #records: Records;
  readonly #templates: Templates;

  constructor({ records, templates }: { readonly records: Records; readonly templates: Templates }) {
    this.#records = records;
    this.#templates = templates;
  }

  /** One environment; undefined where there is none. */
  async get(ns: string, id: string): Promise<WholeEnvironment | undefined> {
    const { records, revision } = await this.#records.listAll<unknown>(environmentScope(ns, id));
    const record = records.find(({ key }) => key === environmentKey(id));
    if (record === undefined) {
      return undefined;
    }
    const laneKey = environmentLaneKey(id);
    const lane = records.find(({ key }) => key === laneKey)?.value as LaneValue | undefined;
    const { active, waiting } = lane ?? FREE_LANE;
    const operation = active?.outcome === undefined ? active?.operation : undefined;
    const environment = {
      ...toEnvironment(id, record as StoredRecord<EnvironmentValue>),
      ...(operation !== undefined && { operation }),
    };
    return {
      environment,
      revision,
      tag: tagOf(
        [operation ?? '', ...waiting],
        records.filter(({ key }) => key !== laneKey),
      ),
      withDrift: async () => {
        const definitions = await this.#definitions(ns, environment.templates);
        return { ...environment, drift: driftOf(environment, resourcesIn(records, id), definitions) };
      },
    };
  }

  async #definitions(ns: string, uses: readonly TemplateUse[]): Promise<readonly UsedTemplate[]> {
    return await mapConcurrently(uses, TEMPLATES_AT_ONCE, async (use) => ({
      use,
      definition: await this.#templates.version(ns, use.id, use.version),
    }));
  }

  /** Whether there is one, by one point read. */
  async find(ns: string, id: string): Promise<Environment | undefined> {
    const record = await this.#records.get<EnvironmentValue>(environmentScope(ns, id), environmentKey(id));
    return record && toEnvironment(id, record);
  }

  /** A page of the environments of a namespace by their ids; each is as it is when it is read. */
  async list(
    ns: string,
    {
      state,
      tags = [],
      limit,
      after,
    }: EnvironmentSelection & { readonly limit: number; readonly after?: string | undefined },
  ): Promise<{ readonly items: readonly Environment[]; readonly next?: string }> {
    const { records, next } = await this.#records.listed<EnvironmentValue>(ns, ENVIRONMENT_KIND, {
      limit,
      after,
      where:
        state === undefined && tags.length === 0
          ? undefined
          : ({ value }) => (state === undefined || value.state === state) && hasTags(value.tags, tags),
    });
    return {
      items: records.map(({ scope, record }) => toEnvironment(scope.name, record)),
      ...(next !== undefined && { next }),
    };
  }

  /**
   * Removes all that is kept of an environment that is destroyed, so that there may be another one of its id. The number that fences
   * its operations stays: what an executor has seen of the old one must not outlive the new one.
   *
   * @throws SkerryError `not-found`; `conflict` for one that is not destroyed, or that an operation works on.
   */
  async forget(ns: string, id: string, author: Author): Promise<void> {
    const [key, laneKey] = [environmentKey(id), environmentLaneKey(id)];
    let isGone = false;
    while (!isGone) {
      const { decided } = await this.#records.transact(environmentScope(ns, id), {
        ...author,
        keys: [key, laneKey],
        range: { prefix: `${key}/`, limit: FORGOTTEN_AT_ONCE + 2 },
        decide: (current) => {
          checkForgettable(ns, id, current);
          const others = [...current.keys()].filter((one) => one !== key && one !== laneKey);
          const isLast = others.length <= FORGOTTEN_AT_ONCE;
          const removed = isLast ? [...others, key] : others.slice(0, FORGOTTEN_AT_ONCE);
          return {
            isLast,
            writes: removed.map((one) => ({ key: one, decision: { type: 'delete' as const } })),
          };
        },
      });
      isGone = decided.isLast;
    }
  }
}

/** The error for an environment that does not exist. */
export function unknownEnvironment(ns: string, id: string): SkerryError {
  return notFound(`There is no environment "${id}".`, {
    fix: `Create it with POST ${canonicalPath(ns, 'environments')}.`,
  });
}

/** Whether there are all of some tags, each written `NAME:VALUE`, or `NAME` where any value will do. */
export function hasTags(tags: readonly Tag[], wanted: readonly string[]): boolean {
  return wanted.every((one) => tags.some(({ name, value }) => name === one || `${name}:${value}` === one));
}

/** An entity tag of records, and of the operations that work on them and wait. */
function tagOf(operations: readonly string[], records: readonly StoredRecord<unknown>[]): string {
  return `"${digestOf([operations.join(), ...records.map(({ key, revision }) => `${key} ${revision}`)])}"`;
}

function resourcesIn(records: readonly StoredRecord<unknown>[], id: string): Map<string, ResourceValue> {
  const prefix = resourcesPrefix(id);
  return new Map(
    records
      .filter(({ key }) => key.startsWith(prefix))
      .map(({ key, value }) => [key.slice(prefix.length), value as ResourceValue]),
  );
}

function toEnvironment(id: string, record: StoredRecord<EnvironmentValue>): Environment {
  const { value, revision, createdAt, updatedAt } = record;
  return { id, ...value, revision, createdAt, updatedAt };
}

function checkForgettable(ns: string, id: string, current: ReadonlyMap<string, StoredRecord<unknown>>): void {
  const environment = current.get(environmentKey(id))?.value as EnvironmentValue | undefined;
  if (environment === undefined) {
    throw unknownEnvironment(ns, id);
  }
  if (environment.state !== 'Destroyed') {
    throw conflict(`The environment is ${environment.state}; only one that is destroyed can be forgotten.`, {
      fix: `Destroy it first with DELETE ${canonicalPath(ns, `environments/${id}`)}.`,
    });
  }
  const lane = current.get(environmentLaneKey(id))?.value as LaneValue | undefined;
  if (lane?.active !== undefined || (lane?.waiting.length ?? 0) > 0) {
    throw conflict('An operation works on the environment still.', {
      fix: `Wait for it: ${canonicalPath(ns, `operations/${lane?.active?.operation ?? lane?.waiting[0]}`)}.`,
    });
  }
}
