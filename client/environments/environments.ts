import type { PageOptions } from '../config/apps.ts';
import { type CommandOptions, idempotent } from '../operations/idempotent.ts';
import type { LongRunningOperation } from '../operations/operation.ts';
import type { Json } from '../store/content.ts';
import { type Page, pages } from '../transport/paged.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { Call, CallOptions, Transport } from '../transport/transport.ts';
import { type WatchOptions, watch } from '../watch/watch.ts';
import type { Environment, EnvironmentChanges, EnvironmentInput, EnvironmentState } from './environment.ts';
import type { Plan } from './plan.ts';

export interface EnvironmentFilter {
  readonly state?: EnvironmentState | undefined;
  /** `NAME:VALUE`; those that have all of them. */
  readonly tag?: string | readonly string[] | undefined;
}

export interface RunOptions extends CommandOptions {
  readonly resource?: string | undefined;
  readonly parameters?: Readonly<Record<string, Json>> | undefined;
}

export interface EnvironmentWaitOptions extends Pick<WatchOptions, 'signal' | 'onFault'> {
  /** Until it is in this state; until it is deployed, well or not, or destroyed, unless told. */
  readonly state?: EnvironmentState | undefined;
}

const SETTLED: ReadonlySet<EnvironmentState> = new Set(['Deployed-OK', 'Deployed-Fail', 'Destroyed']);

/**
 * Environments. What changes them is a command, and takes its time: the answer is the operation that it became, which
 * `client.operations` follows.
 */
export class Environments {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @returns undefined where there is no such environment. */
  async get(id: string, { signal }: CallOptions = {}): Promise<Environment | undefined> {
    return await orUndefined(this.#transport.json<Environment>({ path: pathOf(id), signal }));
  }

  async listPage({ signal, ...query }: EnvironmentFilter & PageOptions = {}): Promise<Page<Environment>> {
    return await this.#transport.json({ path: 'environments', query, signal });
  }

  /** All environments, by id. */
  list(options: EnvironmentFilter & CallOptions = {}): AsyncGenerator<Environment, void, undefined> {
    return pages((after) => this.listPage({ ...options, after }));
  }

  /** @throws SkerryProblem of status 409 where there is one of this id, be it destroyed; 422 where the templates do not allow it. */
  async create(input: EnvironmentInput, options: CommandOptions = {}): Promise<LongRunningOperation> {
    return await this.#command({ method: 'POST', path: 'environments', body: input }, options);
  }

  /** Brings an environment to what is wanted; creates it where there is none. */
  async update(
    id: string,
    changes: EnvironmentChanges,
    options: CommandOptions = {},
  ): Promise<LongRunningOperation> {
    return await this.#command({ method: 'PUT', path: pathOf(id), body: changes }, options);
  }

  /** Destroys what it consists of, and keeps what is known of it. */
  async destroy(id: string, options: CommandOptions = {}): Promise<LongRunningOperation> {
    return await this.#command({ method: 'DELETE', path: pathOf(id) }, options);
  }

  /**
   * Removes all that is known of a destroyed environment.
   *
   * @returns whether it was there.
   * @throws SkerryProblem of status 409 where it is not destroyed.
   */
  async forget(id: string, { signal }: CallOptions = {}): Promise<boolean> {
    return await this.#transport.remove({ path: pathOf(id), query: { forget: true }, signal });
  }

  /** What `create` or `update` would do; nothing changes. */
  async plan({ id, ...changes }: EnvironmentInput, options: CallOptions = {}): Promise<Plan> {
    return await this.#plan({ method: 'PUT', path: pathOf(id), body: changes, ...options });
  }

  /** What `destroy` would do; nothing changes. */
  async planDestruction(id: string, options: CallOptions = {}): Promise<Plan> {
    return await this.#plan({ method: 'DELETE', path: pathOf(id), ...options });
  }

  /** Runs an action of one of its templates, `TEMPLATE.ACTION`. */
  async run(
    id: string,
    action: string,
    { resource, parameters, ...options }: RunOptions = {},
  ): Promise<LongRunningOperation> {
    const path = `${pathOf(id)}/actions/${segment(action)}`;
    return await this.#command({ method: 'POST', path, body: { resource, parameters } }, options);
  }

  /** Looks at what is really there, of all resources unless told. */
  async refresh(
    id: string,
    { resource, ...options }: Omit<RunOptions, 'parameters'> = {},
  ): Promise<LongRunningOperation> {
    return await this.#command(
      { method: 'POST', path: `${pathOf(id)}/refresh`, body: { resource } },
      options,
    );
  }

  /**
   * Waits until nothing works on an environment and its state is settled.
   *
   * @returns undefined where there is no such environment, or none any more.
   */
  async wait(
    id: string,
    { state, ...options }: EnvironmentWaitOptions = {},
  ): Promise<Environment | undefined> {
    const key = `/env/${id}`;
    for await (const event of watch(this.#transport, key, options)) {
      const isNews =
        event.kind === 'resync' ||
        event.changes.some((change) => change.key === key || change.key === `${key}/work`);
      if (!isNews) continue;
      const environment = await this.get(id, options);
      if (environment === undefined) return undefined;
      const { state: now, operation } = environment;
      if (state === undefined ? operation === undefined && SETTLED.has(now) : now === state) {
        return environment;
      }
    }
    return undefined;
  }

  async #command(call: Call, { idempotencyKey, signal }: CommandOptions): Promise<LongRunningOperation> {
    return await this.#transport.json<LongRunningOperation>({
      ...call,
      headers: idempotent(idempotencyKey),
      isRepeatable: true,
      signal,
    });
  }

  async #plan(call: Call): Promise<Plan> {
    const query = { dryRun: true };
    return (await this.#transport.json<{ readonly plan: Plan }>({ ...call, query })).plan;
  }
}

function pathOf(id: string): string {
  return `environments/${segment(id)}`;
}
