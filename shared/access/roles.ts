import { conflict, invalid, notFound, type SkerryError, unprocessable } from '../platform/errors.ts';
import { type Author, type Caller, checkPrecondition, type Precondition } from '../platform/http/index.ts';
import { jsonEquals } from '../platform/json-equals.ts';
import type { Records, StoredRecord } from '../records/index.ts';
import { ACCESS_SCOPE, ROLES, roleKey } from './access-scope.ts';
import { checkGrant } from './policy/check-grant.ts';
import { BUILT_IN_ROLES, parseBinding, type Role, type RoleInput } from './policy/role.ts';

/** Roles besides those that are built in. */
const MAX_ROLES = 500;

/** A role as its API shows it. */
export interface RoleEntry extends Role {
  readonly isBuiltIn: boolean;
  /** Of its last change; absent where it is built in. */
  readonly revision?: number;
}

interface WriteOptions {
  readonly author: Author;
  readonly precondition: Precondition | undefined;
}

/** The roles of an app: those that are built in, and others. All methods throw SkerryError `unavailable`. */
export class Roles {
  readonly #records: Pick<Records, 'get' | 'commit' | 'listAll'>;

  constructor(records: Pick<Records, 'get' | 'commit' | 'listAll'>) {
    this.#records = records;
  }

  /** All of them, those that are built in first, and the revision of the log that holds the others. */
  async list(): Promise<{ readonly roles: readonly RoleEntry[]; readonly revision: number }> {
    const { records, revision } = await this.#records.listAll<RoleInput>(ACCESS_SCOPE, { prefix: ROLES });
    return { roles: [...[...BUILT_IN_ROLES.values()].map(toBuiltIn), ...records.map(toRole)], revision };
  }

  /** The role as it stands; undefined where there is none. */
  async find(name: string): Promise<RoleEntry | undefined> {
    const builtIn = BUILT_IN_ROLES.get(name);
    if (builtIn !== undefined) {
      return toBuiltIn(builtIn);
    }
    const record = await this.#records.get<RoleInput>(ACCESS_SCOPE, roleKey(name));
    return record && toRole(record);
  }

  /**
   * Creates or replaces a role, for all who have it.
   *
   * @param caller who grants what it allows.
   * @throws SkerryError `forbidden` where they do not have that themselves, `conflict` for a role that is built in, `invalid` for a name
   *   that no role can have, `precondition-failed`, `unprocessable` beyond 500 roles.
   */
  async put(
    name: string,
    input: RoleInput,
    caller: Caller,
    { author, precondition }: WriteOptions,
  ): Promise<{ readonly role: RoleEntry; readonly created: boolean }> {
    checkName(name);
    checkGrant(caller, input.allow);
    await this.#checkRoom(name);
    const { description, allow, members } = input;
    const value: RoleInput = {
      ...(description !== undefined && { description }),
      allow,
      ...(members !== undefined && { members: [...new Set(members)] }),
    };
    const { record, previous } = await this.#records.commit<RoleInput>(ACCESS_SCOPE, {
      key: roleKey(name),
      ...author,
      decide(current) {
        checkPrecondition(precondition, current);
        return jsonEquals(current?.value, value) ? { type: 'keep' } : { type: 'put', value };
      },
    });
    if (record === undefined) {
      throw new Error(`The role ${name} vanished in the commit that wrote it.`);
    }
    return { role: toRole(record), created: previous === undefined };
  }

  /**
   * Takes a role from all who have it. Tokens and claims go on naming it, and have it again if it comes back.
   *
   * @returns the revision of the removal.
   * @throws SkerryError `not-found`, `conflict` for a role that is built in, `precondition-failed`.
   */
  async delete(name: string, { author, precondition }: WriteOptions): Promise<number> {
    checkName(name);
    const { revision } = await this.#records.commit<RoleInput>(ACCESS_SCOPE, {
      key: roleKey(name),
      ...author,
      decide(current) {
        if (current === undefined) {
          throw unknownRole(name);
        }
        checkPrecondition(precondition, current);
        return { type: 'delete' };
      },
    });
    return revision;
  }

  async #checkRoom(name: string): Promise<void> {
    const { records } = await this.#records.listAll(ACCESS_SCOPE, { prefix: ROLES });
    if (records.length >= MAX_ROLES && !records.some(({ key }) => key === roleKey(name))) {
      throw unprocessable(`There are ${MAX_ROLES} roles, which is as many as there can be.`, {
        fix: 'Remove roles that nobody needs any more.',
      });
    }
  }
}

/** The error for a role that does not exist. */
export function unknownRole(name: string): SkerryError {
  return notFound(`There is no role "${name}".`, { fix: 'GET /api/v1/roles lists the roles.' });
}

function checkName(name: string): void {
  if (BUILT_IN_ROLES.has(name)) {
    throw conflict(`The role "${name}" is built in, and neither changes nor goes.`, {
      fix: 'Make a role of another name.',
    });
  }
  if (parseBinding(name) === undefined) {
    throw invalid(`No role can be called "${name}", which stands for groups.`, {
      field: 'name',
      fix: 'Use another name.',
    });
  }
}

function toBuiltIn(role: Role): RoleEntry {
  return { ...role, isBuiltIn: true };
}

function toRole({ key, value, revision }: StoredRecord<RoleInput>): RoleEntry {
  return { name: key.slice(ROLES.length + 1), ...value, isBuiltIn: false, revision };
}
