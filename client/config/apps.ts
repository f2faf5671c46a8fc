import type { Json } from '../store/content.ts';
import type { Listing } from '../store/store.ts';
import { guard, type WriteOptions } from '../transport/guard.ts';
import { pages } from '../transport/paged.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';

export interface ApplicationInput {
  /** Secrets in it are `{"$secret": value}`, and sealed as they are read. */
  readonly config: Json;
  /** A JSON Schema (2020-12) that `config` must satisfy. */
  readonly schema?: Json;
  /** Fields of other surfaces; kept when left out. */
  readonly extra?: { readonly [name: string]: Json };
}

export interface Application extends ApplicationInput {
  readonly name: string;
  readonly revision: number;
  /** RFC 3339, as `updatedAt`. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface ReadOptions extends CallOptions {
  /** Whether secrets come in clear, and references to Key Vault as what they stand for; for those who may see them. */
  readonly secrets?: boolean | undefined;
}

export interface PageOptions extends CallOptions {
  /** Most items of a page. */
  readonly limit?: number | undefined;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
}

/** Applications with their configuration. */
export class Apps {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @returns undefined where there is no such application. */
  async get(name: string, { secrets, signal }: ReadOptions = {}): Promise<Application | undefined> {
    const query = { secrets: secrets === true ? true : undefined };
    return await orUndefined(this.#transport.json<Application>({ path: pathOf(name), query, signal }));
  }

  /** Creates or replaces an application; storing what stands there already changes nothing. */
  async put(
    name: string,
    input: ApplicationInput,
    { ifRevision, signal }: WriteOptions = {},
  ): Promise<Application> {
    const headers = guard(ifRevision);
    return await this.#transport.json<Application>({
      method: 'PUT',
      path: pathOf(name),
      headers,
      body: input,
      signal,
    });
  }

  /** @returns whether it was there. */
  async delete(name: string, { ifRevision, signal }: WriteOptions = {}): Promise<boolean> {
    return await this.#transport.remove({ path: pathOf(name), headers: guard(ifRevision), signal });
  }

  /** One page of the applications, by name. */
  async listPage({ limit, after, signal }: PageOptions = {}): Promise<Listing<Application>> {
    return await this.#transport.json<Listing<Application>>({
      path: 'apps',
      query: { limit, after },
      signal,
    });
  }

  /** All applications, by name. */
  list(options: CallOptions = {}): AsyncGenerator<Application, void, undefined> {
    return pages((after) => this.listPage({ ...options, after }));
  }
}

function pathOf(name: string): string {
  return `apps/${segment(name)}`;
}
