import { scopeOfPrefix } from '../keyspace/index.ts';
import { invalid, notFound, type SkerryError } from '../platform/errors.ts';
import {
  type Author,
  canonicalPath,
  checkPrecondition,
  NAME_PATTERN,
  type Precondition,
} from '../platform/http/index.ts';
import type { Records, RetentionPolicy, Scope, StoredRecord } from '../records/index.ts';

/** What is kept of a scope, and since which revision by a rule of its own; absent where the settings decide. */
export interface RetentionEntry extends RetentionPolicy {
  readonly revision?: number;
}

interface WriteOptions {
  readonly author: Author;
  readonly precondition: Precondition | undefined;
}

const KIND = 'retention';

/**
 * How much history the scopes keep: what the settings say, unless a scope has a rule of its own. Rules are records of a kind that is
 * shown by this alone. A scope is named by the path of its keys: `kv/STORE`, `srv/SERVICE`, `app`.
 */
export class Retention {
  readonly #records: Records;
  readonly #fallback: RetentionPolicy;

  constructor(records: Records, fallback: RetentionPolicy) {
    this.#records = records;
    this.#fallback = fallback;
  }

  /** What the scopes without a rule of their own keep. */
  get fallback(): RetentionPolicy {
    return this.#fallback;
  }

  /** @throws SkerryError `invalid` for a path that names no scope. */
  async get(ns: string, path: string): Promise<RetentionEntry> {
    checkScopePath(ns, path);
    const record = await this.#records.get<RetentionPolicy>(scopeOf(ns), keyOf(path));
    return record === undefined ? this.#fallback : toEntry(record);
  }

  /** @throws SkerryError `invalid` for a path that names no scope, `precondition-failed`. */
  async put(
    ns: string,
    path: string,
    { minChanges, minDays }: RetentionPolicy,
    { author, precondition }: WriteOptions,
  ): Promise<RetentionEntry> {
    checkScopePath(ns, path);
    const { record } = await this.#records.commit<RetentionPolicy>(scopeOf(ns), {
      key: keyOf(path),
      ...author,
      decide(current) {
        checkPrecondition(precondition, current);
        return current?.value.minChanges === minChanges && current.value.minDays === minDays
          ? { type: 'keep' }
          : { type: 'put', value: { minChanges, minDays } };
      },
    });
    return record === undefined ? this.#fallback : toEntry(record);
  }

  /**
   * Lets the settings decide again.
   *
   * @returns the revision of the removal.
   * @throws SkerryError `invalid` for a path that names no scope, `not-found`, `precondition-failed`.
   */
  async delete(ns: string, path: string, { author, precondition }: WriteOptions): Promise<number> {
    checkScopePath(ns, path);
    const { revision } = await this.#records.commit<RetentionPolicy>(scopeOf(ns), {
      key: keyOf(path),
      ...author,
      decide(current) {
        if (current === undefined) {
          throw noRetention(ns, path);
        }
        checkPrecondition(precondition, current);
        return { type: 'delete' };
      },
    });
    return revision;
  }

  /** What is kept of a scope of any kind, as it is ruled now. */
  async policyOf({ ns, kind, name }: Scope): Promise<RetentionPolicy> {
    const path = name === '' ? kind : `${kind}/${name}`;
    return (await this.#records.get<RetentionPolicy>(scopeOf(ns), keyOf(path)))?.value ?? this.#fallback;
  }

  /** The scopes of all namespaces that have a rule of their own. */
  async ruledScopes(): Promise<Scope[]> {
    const scopes: Scope[] = [];
    for (const home of await this.#records.scopesEverywhere(KIND)) {
      const { records } = await this.#records.listAll<RetentionPolicy>(home);
      scopes.push(...records.flatMap(({ key }) => scopeOfPrefix(home.ns, key.slice(KIND.length + 1)) ?? []));
    }
    return scopes;
  }
}

/** The error for a scope that has no rule of its own. */
export function noRetention(ns: string, path: string): SkerryError {
  return notFound(`"${path}" has no retention of its own.`, {
    fix: `Nothing is to be done: the settings decide, as GET ${canonicalPath(ns, `retention/${path}`)} shows.`,
  });
}

function scopeOf(ns: string): Scope {
  return { ns, kind: KIND, name: '' };
}

function keyOf(path: string): string {
  return `/${KIND}/${path}`;
}

function toEntry({ value, revision }: StoredRecord<RetentionPolicy>): RetentionEntry {
  return { minChanges: value.minChanges, minDays: value.minDays, revision };
}

function checkScopePath(ns: string, path: string): void {
  const scope = scopeOfPrefix(ns, `/${path}`);
  const isWhole =
    scope !== undefined && path === (scope.name === '' ? scope.kind : `${scope.kind}/${scope.name}`);
  if (!isWhole || !(scope.name === '' || NAME_PATTERN.test(scope.name))) {
    throw invalid(`"${path.slice(0, 100)}" is not the path of a scope.`, {
      field: 'scope',
      fix: 'Use "app", "srv/SERVICE", "kv/STORE", "election/NAME" or "reg".',
    });
  }
}
