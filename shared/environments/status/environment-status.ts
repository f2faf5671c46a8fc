import type { Clock } from '../../platform/clock.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import {
  attributesOf,
  type Decision,
  type Records,
  type Scope,
  type StoredRecord,
} from '../../records/index.ts';
import {
  type EnvironmentValue,
  environmentKey,
  type ResourceValue,
  resourcesPrefix,
} from '../environment.ts';
import { transition } from '../state-machine.ts';
import { healthAfter, type Verdict, verdictOf, type Watched } from './health.ts';
import type { PollTerms } from './poll-terms.ts';
import { type Findings, findingsOf, nextRoundAt, nextState } from './roll-up.ts';
import type { StatusPolls } from './status-polls.ts';

export interface EnvironmentStatusOptions {
  readonly records: Records;
  readonly polls: StatusPolls;
  readonly clock: Clock;
  readonly terms: PollTerms;
}

/** Writes that wait in memory at a time; the commit queue makes batches of them. */
const WRITES_AT_ONCE = 490;
/** Validated again, and then well: no round has more changes of state than these two. */
const MAX_TRANSITIONS = 2;

const AUTHOR = { actor: 'system:status' };

/**
 * Keeps the health of environments and their resources, and the state that follows from it. Only changes are written, each decided on the
 * newest state; what a round that dies did not come to is done by the next.
 */
export class EnvironmentStatus {
  readonly #options: EnvironmentStatusOptions;

  constructor(options: EnvironmentStatusOptions) {
    this.#options = options;
  }

  /**
   * Asks the status endpoints of an environment and its resources, and writes down what changed.
   *
   * @param until milliseconds since the Unix epoch: from then on no further endpoints are asked.
   * @returns when to do so again, in milliseconds since the Unix epoch; undefined where nothing would come of it.
   * @throws SkerryError `unavailable`.
   */
  async update(scope: Scope, until: number): Promise<number | undefined> {
    const { records, clock, terms } = this.#options;
    const key = environmentKey(scope.name);
    const environment = await records.get<EnvironmentValue>(scope, key);
    if (environment === undefined) {
      return undefined;
    }
    if (!environment.value.state.startsWith('Deployed-')) {
      return nextRoundAt(environment.value, NOTHING_FOUND, clock.now(), terms);
    }
    const resources = await this.#resources(scope);
    const found = await this.#round(scope, environment, resources, until);
    let { value } = environment;
    for (let nth = 0; nth < MAX_TRANSITIONS; nth += 1) {
      value = (await this.#move(scope, value, found)) ?? value;
    }
    return nextRoundAt(value, found, clock.now(), terms);
  }

  async #resources(scope: Scope): Promise<readonly StoredRecord<ResourceValue>[]> {
    const prefix = resourcesPrefix(scope.name);
    return (await this.#options.records.listAll<ResourceValue>(scope, { prefix })).records;
  }

  async #round(
    scope: Scope,
    environment: StoredRecord<EnvironmentValue>,
    resources: readonly StoredRecord<ResourceValue>[],
    until: number,
  ): Promise<Findings> {
    const answers = await this.#options.polls.ask(
      [environment, ...resources].flatMap(({ value }) => value.statusEndpoints),
      until,
    );
    const own = await this.#writeHealth(scope, environment, answers);
    const { length } = resourcesPrefix(scope.name);
    const known = await mapConcurrently(resources, WRITES_AT_ONCE, async (resource) => ({
      id: resource.key.slice(length),
      value: await this.#writeHealth(scope, resource, answers),
    }));
    return findingsOf(own, known);
  }

  /** @returns the value as the round left it. */
  async #writeHealth<Value extends Watched>(
    scope: Scope,
    { key, value: seen }: StoredRecord<Value>,
    answers: ReadonlyMap<string, string | undefined>,
  ): Promise<Value> {
    const now = this.#options.clock.now();
    const verdict = verdictOf(seen.statusEndpoints, answers);
    if (healthAfter(seen, verdict, now) === seen.health) {
      return seen;
    }
    const { record } = await this.#options.records.commit<Value>(scope, {
      key,
      ...AUTHOR,
      decide: (current) =>
        // It may have been given other endpoints meanwhile.
        current !== undefined && String(current.value.statusEndpoints) === String(seen.statusEndpoints)
          ? withHealth(current, verdict, now)
          : { type: 'keep' },
    });
    return record?.value ?? seen;
  }

  /** @returns the environment in the state that the findings call for; undefined where it stays, or somebody else moved it. */
  async #move(scope: Scope, seen: EnvironmentValue, found: Findings): Promise<EnvironmentValue | undefined> {
    const { records, clock, terms } = this.#options;
    const next = nextState(seen, found, clock.now(), terms);
    if (next === undefined) {
      return undefined;
    }
    const { to, reason, failedBy } = next;
    const { changed, record } = await records.commit<EnvironmentValue>(scope, {
      key: environmentKey(scope.name),
      ...AUTHOR,
      decide: (current) => {
        if (current?.value.state !== seen.state || current.value.stateSince !== seen.stateSince) {
          return { type: 'keep' };
        }
        const value = transition(current.value, to, clock.now(), reason);
        return putLike(current, { ...value, ...(failedBy !== undefined && { failedBy }) });
      },
    });
    return changed ? record?.value : undefined;
  }
}

const NOTHING_FOUND: Findings = { complaints: [], isUnknown: false, isPolled: false };

function withHealth<Value extends Watched>(
  current: StoredRecord<Value>,
  verdict: Verdict | undefined,
  now: number,
): Decision<Value> {
  const health = healthAfter(current.value, verdict, now);
  if (health === current.value.health) {
    return { type: 'keep' };
  }
  const { health: _, ...rest } = current.value;
  return putLike(current, { ...rest, ...(health !== undefined && { health }) } as Value);
}

/** With what the record carries beside its value. */
function putLike<Value>(current: StoredRecord<Value>, value: Value): Decision<Value> {
  return { type: 'put', value, ...attributesOf(current) };
}
