import { guard, type WriteOptions } from '../transport/guard.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';
import type { AccessRule, Verb } from './access.ts';

/** A rule as it is written: one text stands for a list of one. */
export interface AccessRuleInput {
  readonly verbs: readonly Verb[];
  /** `${service}` stands for the service that a role is bound to, as in `agent:web`. */
  readonly keys: string | readonly string[];
  /** All unless told. */
  readonly ns?: string | readonly string[] | undefined;
}

export interface RoleInput {
  readonly description?: string | undefined;
  readonly allow: readonly AccessRuleInput[];
  /** Who has it besides those whose token or claims say so: `group:ID`, `user:OID`, `app:ID`, `bus:SOURCE`, `address:CIDR`. */
  readonly members?: readonly string[] | undefined;
}

export interface Role {
  readonly name: string;
  readonly description?: string;
  readonly allow: readonly AccessRule[];
  readonly members?: readonly string[];
  /** Such a one can neither be changed nor removed. */
  readonly isBuiltIn: boolean;
  /** Of its last change; absent where it is built in. */
  readonly revision?: number;
}

/** What callers may do; the same in all namespaces. */
export class Roles {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @returns undefined where there is no such role. */
  async get(name: string, { signal }: CallOptions = {}): Promise<Role | undefined> {
    return await orUndefined(this.#transport.json<Role>({ path: pathOf(name), signal }));
  }

  /** All of them, those that are built in first. */
  async list({ signal }: CallOptions = {}): Promise<readonly Role[]> {
    return (await this.#transport.json<{ readonly items: readonly Role[] }>({ path: 'roles', signal })).items;
  }

  /** Creates or replaces a role, for all who have it. Nobody grants what they do not have. */
  async put(name: string, input: RoleInput, { ifRevision, signal }: WriteOptions = {}): Promise<Role> {
    return await this.#transport.json<Role>({
      method: 'PUT',
      path: pathOf(name),
      headers: guard(ifRevision),
      body: input,
      signal,
    });
  }

  /** Takes it from all who have it. @returns whether it was there. */
  async delete(name: string, { ifRevision, signal }: WriteOptions = {}): Promise<boolean> {
    return await this.#transport.remove({ path: pathOf(name), headers: guard(ifRevision), signal });
  }
}

function pathOf(name: string): string {
  return `roles/${segment(name)}`;
}
