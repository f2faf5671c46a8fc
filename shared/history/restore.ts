import { checkPublicKey, placeOfKey } from '../keyspace/index.ts';
import type { Clock } from '../platform/clock.ts';
import { invalid, SkerryError, unavailable, unprocessable } from '../platform/errors.ts';
import type { Author } from '../platform/http/index.ts';
import { jsonEquals } from '../platform/json-equals.ts';
import type { Json, Records, Scope, StoredRecord } from '../records/index.ts';

export interface RestoreRequest {
  /** A whole key, or with `prefix` what lies under it by whole segments. */
  readonly key: string;
  /** Of the scope. */
  readonly revision: number;
  readonly prefix: boolean;
}

export interface Restoration {
  /** Keys that were written, and keys that held their old values already. */
  readonly restored: number;
  readonly unchanged: number;
  /** Whether all went in one transaction. */
  readonly atomic: boolean;
  readonly batches: number;
  /** Of the scope, after it. */
  readonly revision: number;
}

/** Keys that are restored in one transaction. */
const MAX_KEYS = 49;
/** How long, in milliseconds, keys are restored batch by batch for one request, which the host cuts off at 230 s. */
const TIME_BUDGET = 100_000;

/**
 * Writes the values of the past again. Keys that did not exist then stay as they are, so that nothing is ever deleted by it; what is
 * restored stays, whatever ended it then. The rules of its domain held for the value as a whole when it was written, so they hold
 * again.
 *
 * @throws SkerryError `invalid` for a key of no single scope or a revision that is not reached; `unprocessable` for records that
 *   cannot be restored; `compacted`; `unavailable` when it takes too long, and some keys are restored.
 */
export async function restore(
  { records, clock }: { readonly records: Records; readonly clock: Clock },
  ns: string,
  request: RestoreRequest,
  author: Author,
): Promise<Restoration> {
  const scope = restorableScope(ns, request.key);
  const deadline = clock.now() + TIME_BUDGET;
  const outcome = { restored: 0, unchanged: 0, batches: 0, revision: 0 };
  for await (const batch of batchesOf(recordsThen(records, scope, request))) {
    if (clock.now() > deadline) {
      throw unavailable(`${outcome.restored} keys are restored, and more are left.`, {
        fix: 'Repeat the request.',
      });
    }
    for (const { changed, kept, revision } of await writeAgain(records, scope, batch, author)) {
      outcome.restored += changed;
      outcome.unchanged += kept;
      outcome.batches += 1;
      outcome.revision = revision;
    }
  }
  const revision = outcome.batches === 0 ? await records.position(scope) : outcome.revision;
  return { ...outcome, revision, atomic: outcome.batches <= 1 };
}

function restorableScope(ns: string, key: string): Scope {
  checkPublicKey(key);
  const place = placeOfKey(ns, key);
  if (place === undefined) {
    throw invalid(`The keys under "${key}" belong to several scopes, each with revisions of its own.`, {
      field: 'key',
      fix: 'Name a key of one scope, such as "/kv/STORE" or "/app".',
    });
  }
  if (!place.isRestorable) {
    throw unprocessable(
      `What is under "/${place.scope.kind}" tells what is alive, which cannot be brought back.`,
      {
        field: 'key',
        fix: 'Restore keys under "/app" or "/kv".',
      },
    );
  }
  return place.scope;
}

async function* recordsThen(
  records: Records,
  scope: Scope,
  { key, revision, prefix }: RestoreRequest,
): AsyncGenerator<StoredRecord<Json>> {
  if (!prefix) {
    const record = await records.getAt<Json>(scope, key, revision);
    if (record !== undefined) yield record;
    return;
  }
  let after: string | undefined;
  do {
    const page = await records.list<Json>(scope, { prefix: key, revision, after, limit: MAX_KEYS + 1 });
    yield* page.records;
    after = page.next;
  } while (after !== undefined);
}

async function* batchesOf<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item[]> {
  let batch: Item[] = [];
  for await (const item of items) {
    if (batch.length === MAX_KEYS) {
      yield batch;
      batch = [];
    }
    batch.push(item);
  }
  if (batch.length > 0) yield batch;
}

interface Batch {
  readonly changed: number;
  readonly kept: number;
  readonly revision: number;
}

/** Writes values in one transaction, or in more of them where they are too large together. */
async function writeAgain(
  records: Records,
  scope: Scope,
  batch: readonly StoredRecord<Json>[],
  author: Author,
): Promise<Batch[]> {
  try {
    const { decided, revision } = await records.transact<Json>(scope, {
      keys: batch.map(({ key }) => key),
      ...author,
      decide: (current) => ({
        writes: batch
          .filter(({ key, value }) => !stands(current.get(key), value))
          .map(({ key, value }) => ({ key, decision: { type: 'put', value } })),
      }),
    });
    const changed = decided.writes.length;
    return [{ changed, kept: batch.length - changed, revision }];
  } catch (error) {
    if (batch.length === 1 || !(error instanceof SkerryError && error.kind === 'too-large')) {
      throw error;
    }
    const middle = Math.ceil(batch.length / 2);
    const first = await writeAgain(records, scope, batch.slice(0, middle), author);
    return [...first, ...(await writeAgain(records, scope, batch.slice(middle), author))];
  }
}

/** Whether a value stands there to stay. */
function stands(current: StoredRecord<Json> | undefined, value: Json): boolean {
  return (
    current !== undefined &&
    current.expiresAt === undefined &&
    current.lease === undefined &&
    jsonEquals(current.value, value)
  );
}
