import { type Clock, toTimestamp } from '../../platform/clock.ts';
import type { Alarms, Records } from '../../records/index.ts';
import {
  type Dependency,
  environmentKey,
  environmentScope,
  type ResourceStatus,
  type ResourceValue,
  resourcesPrefix,
  type Tag,
} from '../environment.ts';
import { unknownDependencies } from './circle.ts';
import { EnvironmentParts, type Part, type PartAddress, type WriteOptions } from './environment-parts.ts';

export type Resource = Part<ResourceValue>;

/** What somebody says of a resource that no template made. */
export interface ResourceInput {
  readonly name: string;
  readonly description?: string | undefined;
  readonly tags: readonly Tag[];
  readonly count: number;
  readonly status: ResourceStatus;
  readonly links: readonly string[];
  readonly statusEndpoints: readonly string[];
  readonly dependencies: readonly Dependency[];
}

export interface ResourcesOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly alarms: Alarms;
}

/** Resources, and those written down by hand: what an environment has beside what its templates make, so that it may be depended on. */
export class Resources extends EnvironmentParts<ResourceValue> {
  readonly #clock: Clock;

  constructor({ records, clock, alarms }: ResourcesOptions) {
    super(records, {
      noun: 'resource',
      prefix: resourcesPrefix,
      reference: (id) => id,
      withPart: ({ resources, groups }, id, value) => ({
        resources: new Map([...resources, [id, value]]),
        groups,
      }),
      unknownNames: ({ dependencies }, parts) => unknownDependencies(dependencies, parts),
      raise: (ns, environment) =>
        alarms.raise(environmentScope(ns, environment), environmentKey(environment)),
    });
    this.#clock = clock;
  }

  /** Writes a resource down; see `EnvironmentParts.put`. Its status is what is said here, its health what its endpoints say. */
  async write(address: PartAddress, input: ResourceInput, options: WriteOptions) {
    const now = toTimestamp(this.#clock.now());
    return await this.put(address, (current) => resourceByHand(input, current, now), options);
  }
}

function resourceByHand(
  { description, ...input }: ResourceInput,
  current: ResourceValue | undefined,
  now: string,
): ResourceValue {
  const isPolledAlike =
    current !== undefined && String(current.statusEndpoints) === String(input.statusEndpoints);
  return {
    ...input,
    ...(description !== undefined && { description }),
    statusSince: current?.status === input.status ? current.statusSince : now,
    createdOn: current?.createdOn ?? now,
    ...(isPolledAlike && current.health !== undefined && { health: current.health }),
  };
}
