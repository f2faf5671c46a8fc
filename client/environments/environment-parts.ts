import type { PageOptions } from '../config/apps.ts';
import { guard, type WriteOptions } from '../transport/guard.ts';
import { type Page, pages } from '../transport/paged.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Query, Transport } from '../transport/transport.ts';
import type { ResourceStatus } from './resource.ts';

export interface PartFilter {
  readonly environment?: string | undefined;
  /** `NAME:VALUE`; those that have all of them. */
  readonly tag?: string | readonly string[] | undefined;
}

export interface ResourceFilter extends PartFilter {
  readonly status?: ResourceStatus | undefined;
}

/** What environments consist of: resources, or groups of them. Those that a template made change by commands alone. */
export class EnvironmentParts<Part, Input, Filter extends PartFilter> {
  readonly #root: string;
  readonly #transport: Transport;

  /** @param root the collection's path below the API's. */
  constructor(root: 'resources' | 'resource-groups', transport: Transport) {
    this.#root = root;
    this.#transport = transport;
  }

  /** @returns undefined where there is no such one. */
  async get(environment: string, id: string, { signal }: CallOptions = {}): Promise<Part | undefined> {
    return await orUndefined(this.#transport.json<Part>({ path: this.#pathOf(environment, id), signal }));
  }

  async listPage({ signal, ...query }: Filter & PageOptions): Promise<Page<Part>> {
    return await this.#transport.json({ path: this.#root, query: query as Query, signal });
  }

  list(options: Filter & CallOptions): AsyncGenerator<Part, void, undefined> {
    return pages((after) => this.listPage({ ...options, after }));
  }

  /**
   * Writes one down by hand.
   *
   * @throws SkerryProblem of status 409 where a template made it.
   */
  async put(
    environment: string,
    id: string,
    input: Input,
    { ifRevision, signal }: WriteOptions = {},
  ): Promise<Part> {
    return await this.#transport.json<Part>({
      method: 'PUT',
      path: this.#pathOf(environment, id),
      headers: guard(ifRevision),
      body: input,
      signal,
    });
  }

  /**
   * @returns whether it was there.
   * @throws SkerryProblem of status 409 where a template made it.
   */
  async delete(environment: string, id: string, { ifRevision, signal }: WriteOptions = {}): Promise<boolean> {
    const path = this.#pathOf(environment, id);
    return await this.#transport.remove({ path, headers: guard(ifRevision), signal });
  }

  #pathOf(environment: string, id: string): string {
    return `${this.#root}/${segment(environment)}/${segment(id)}`;
  }
}
