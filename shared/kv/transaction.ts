import { unprocessable } from '../platform/errors.ts';
import { jsonEquals } from '../platform/json-equals.ts';
import type { CommitSet, Decisions, Json, StoredRecord } from '../records/index.ts';
import { checkValue } from './content.ts';
import { recordKeyOf } from './key.ts';
import { type KeyValue, toKeyValue } from './key-value.ts';
import { checkLife, decidePut, type KeyInput } from './put.ts';

/** Operations of one branch, and comparisons. */
const MAX_OPERATIONS = 128;
/** Writes of one branch: two operations of a Cosmos batch each. */
const MAX_WRITES = 49;

/** What has to hold of a key; revision 0 is that of a key that does not exist. */
export type Comparison = { readonly key: string } & (
  | { readonly revision: number }
  | { readonly value: Json }
  | { readonly exists: boolean }
);

export type Operation =
  | { readonly put: { readonly key: string } & KeyInput }
  | { readonly delete: { readonly key: string } }
  | { readonly get: { readonly key: string } };

export interface TransactionInput {
  readonly compare: readonly Comparison[];
  /** `then` and `else`: what is done where every comparison holds, and where one does not. */
  readonly branches: readonly [onSuccess: readonly Operation[], onFailure: readonly Operation[]];
}

export type OperationResult =
  | { readonly put: { readonly key: string; readonly revision: number; readonly previous?: KeyValue } }
  | { readonly delete: { readonly key: string; readonly deleted: boolean; readonly revision?: number } }
  | { readonly get: KeyValue | null };

export interface TransactionAnswer {
  /** Whether every comparison held. */
  readonly succeeded: boolean;
  /** Of the store, after the transaction. */
  readonly revision: number;
  /** In the order of the operations of the branch that was taken. */
  readonly results: readonly OperationResult[];
}

/** What the transaction found to do. */
interface Branch extends Decisions<Json> {
  readonly succeeded: boolean;
}

const BRANCH_NAMES = ['then', 'else'] as const;

/** A transaction over one store: what it looks at, what it does with what it sees, and how it tells of it. */
export class StoreTransaction {
  /** The keys of all records that it may look at or write. */
  readonly keys: readonly string[];
  /** The session leases that it may attach keys to. */
  readonly leases: readonly string[];
  readonly #store: string;
  readonly #input: TransactionInput;
  readonly #now: number;

  /**
   * @param now milliseconds since the Unix epoch, from which a ttl counts.
   * @throws SkerryError `invalid` for a key or a value that is none, `too-large` for a value over 256 KiB, `unprocessable` for a
   *   key twice in a branch, or too many operations.
   */
  constructor(store: string, input: TransactionInput, now: number) {
    this.#store = store;
    this.#input = input;
    this.#now = now;
    checkCount(input.compare, 'compare', 'comparisons');
    const compared = input.compare.map(({ key }, index) => recordKeyOf(store, key, `compare[${index}].key`));
    const operated = input.branches.flatMap((operations, index) =>
      checkBranch(store, operations, BRANCH_NAMES[index] ?? ''),
    );
    this.keys = [...new Set([...compared, ...operated])];
    this.leases = input.branches
      .flat()
      .flatMap((operation) => ('put' in operation ? (operation.put.lease ?? []) : []));
    for (const [index, comparison] of input.compare.entries()) {
      if ('value' in comparison) {
        checkValue(comparison.value, `compare[${index}].value`);
      }
    }
  }

  decide(current: ReadonlyMap<string, StoredRecord<Json>>): Branch {
    const succeeded = this.#input.compare.every((comparison) =>
      holds(comparison, current.get(this.#keyOf(comparison))),
    );
    const writes = this.#operations(succeeded).flatMap((operation) => {
      if ('put' in operation) {
        const key = this.#keyOf(operation.put);
        return { key, decision: decidePut(operation.put, current.get(key), this.#now) };
      }
      const key = 'delete' in operation ? this.#keyOf(operation.delete) : '';
      return current.has(key) ? { key, decision: { type: 'delete' } as const } : [];
    });
    return { succeeded, writes };
  }

  answer({ decided, commits, revision }: CommitSet<Json, Branch>): TransactionAnswer {
    const { succeeded } = decided;
    const results = this.#operations(succeeded).map((operation) => this.#resultOf(operation, commits));
    return { succeeded, revision, results };
  }

  #resultOf(operation: Operation, commits: CommitSet<Json>['commits']): OperationResult {
    if ('get' in operation) {
      const record = commits.get(this.#keyOf(operation.get))?.record;
      return { get: record === undefined ? null : toKeyValue(this.#store, record) };
    }
    const { key } = 'put' in operation ? operation.put : operation.delete;
    const { changed, revision, previous } = commits.get(this.#keyOf({ key })) ?? NOTHING;
    if ('put' in operation) {
      return {
        put: {
          key,
          revision,
          ...(previous !== undefined && { previous: toKeyValue(this.#store, previous) }),
        },
      };
    }
    return { delete: { key, deleted: changed, ...(changed && { revision }) } };
  }

  #operations(succeeded: boolean): readonly Operation[] {
    return this.#input.branches[succeeded ? 0 : 1];
  }

  #keyOf({ key }: { readonly key: string }): string {
    return recordKeyOf(this.#store, key);
  }
}

const NOTHING = { changed: false, revision: 0, previous: undefined };

/** @returns the keys of the records that it touches. */
function checkBranch(store: string, operations: readonly Operation[], branch: string): readonly string[] {
  checkCount(operations, branch, 'operations');
  const seen = new Set<string>();
  let writes = 0;
  for (const [index, operation] of operations.entries()) {
    const [[name, { key }] = ['', { key: '' }]] = Object.entries(operation);
    const field = `${branch}[${index}].${name}`;
    const recordKey = recordKeyOf(store, key, `${field}.key`);
    if (seen.has(recordKey)) {
      throw unprocessable(`The key "${key}" stands twice in "${branch}".`, {
        field: `${field}.key`,
        fix: 'Name each key in one operation of a branch: a "get" shows the state before the transaction, a "put" its "previous".',
      });
    }
    seen.add(recordKey);
    if ('put' in operation) {
      checkValue(operation.put.value, `${field}.value`);
      checkLife(operation.put, `${field}.lease`);
    }
    writes += 'get' in operation ? 0 : 1;
  }
  checkCount({ length: writes }, branch, 'writes', MAX_WRITES);
  return [...seen];
}

function checkCount(
  { length }: { readonly length: number },
  field: string,
  what: string,
  most = MAX_OPERATIONS,
): void {
  if (length > most) {
    throw unprocessable(`"${field}" holds ${length} ${what}; ${most} are the most.`, {
      field,
      fix: 'Split the transaction into several.',
    });
  }
}

function holds(comparison: Comparison, record: StoredRecord<Json> | undefined): boolean {
  if ('revision' in comparison) {
    return (record?.revision ?? 0) === comparison.revision;
  }
  if ('exists' in comparison) {
    return (record !== undefined) === comparison.exists;
  }
  return record !== undefined && jsonEquals(record.value, comparison.value);
}
