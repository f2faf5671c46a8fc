import type { PageOptions } from '../config/apps.ts';
import { type Page, pages } from '../transport/paged.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';

export interface TokenInput {
  /** For people; need not be unique. */
  readonly name: string;
  /** Such as `viewer`, or `agent:web` for the service `web` alone. */
  readonly roles: readonly string[];
  /** Narrows its roles to these namespaces, by name or glob; all unless told. */
  readonly ns?: readonly string[] | undefined;
  /** RFC 3339; it works for ever unless told. */
  readonly expiresAt?: string | undefined;
}

/** A token without its text. */
export interface AccessToken {
  /** `tok_…` */
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly ns: readonly string[];
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAt?: string;
  /** To five minutes; absent where it was never used. */
  readonly lastUsedAt?: string;
}

/** A token that was made just now. */
export interface NewAccessToken extends AccessToken {
  /** `skt_…`, told this once. */
  readonly token: string;
}

const PATH = 'tokens';

/** Tokens that Skerry gives out; the same in all namespaces. */
export class Tokens {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Nobody grants what they do not have. Keep the `token`: it is told this once. */
  async create(input: TokenInput, { signal }: CallOptions = {}): Promise<NewAccessToken> {
    return await this.#transport.json<NewAccessToken>({ method: 'POST', path: PATH, body: input, signal });
  }

  /** @returns undefined where there is no such token. */
  async get(id: string, { signal }: CallOptions = {}): Promise<AccessToken | undefined> {
    return await orUndefined(this.#transport.json<AccessToken>({ path: pathOf(id), signal }));
  }

  async listPage({ limit, after, signal }: PageOptions = {}): Promise<Page<AccessToken>> {
    return await this.#transport.json<Page<AccessToken>>({ path: PATH, query: { limit, after }, signal });
  }

  /** Those that have not ended. */
  list(options: CallOptions = {}): AsyncGenerator<AccessToken, void, undefined> {
    return pages((after) => this.listPage({ ...options, after }));
  }

  /** Ends it, within five seconds everywhere. @returns whether it was there. */
  async revoke(id: string, { signal }: CallOptions = {}): Promise<boolean> {
    return await this.#transport.remove({ path: pathOf(id), signal });
  }
}

function pathOf(id: string): string {
  return `${PATH}/${segment(id)}`;
}
