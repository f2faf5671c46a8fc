import { readCursor, writeCursor } from '../platform/cursor.ts';
import type { StoredRecord } from './change.ts';
import { fromRecordDocument } from './documents.ts';
import type { LogStorage } from './log-storage.ts';
import type { Snapshot } from './snapshot.ts';

export interface PageRequest {
  /** Cursor: the `next` of the page before. */
  readonly after?: string | undefined;
  /** Records of a page, 1 to 5,000. */
  readonly limit?: number | undefined;
}

/** A page of a scope's records in key order. */
export interface Listing<Value> {
  readonly records: readonly StoredRecord<Value>[];
  /** The revision of the scope at which the page was so. */
  readonly revision: number;
  /** Whole seconds since the page was last proven current. */
  readonly ageSeconds: number;
  /** Cursor of the next page; absent on the last one. */
  readonly next?: string;
}

const MAX_PAGE = 5_000;

/** Where a page begins and, for scopes that are listed from storage, the revision that all pages show. */
interface Cursor {
  readonly key: string;
  readonly revision?: number;
}

type Page<Value> = Omit<Listing<Value>, 'ageSeconds'>;

export function listFromSnapshot<Value>(snapshot: Snapshot<Value>, request: PageRequest): Page<Value> {
  const limit = request.limit ?? MAX_PAGE;
  const records = snapshot.page(cursorOf(request)?.key, limit + 1);
  return toPage(
    records.slice(0, limit),
    snapshot.revision,
    records.length > limit && { key: records[limit - 1]?.key ?? '' },
  );
}

/**
 * Lists a scope that is too large for memory, as it was at one revision on all pages: what was written since is undone
 * by the previous values in the changes since.
 *
 * @param position a revision that is proven current; the first page shows it.
 */
export async function listFromStorage<Value>(
  storage: LogStorage,
  position: number,
  request: PageRequest,
): Promise<Page<Value>> {
  const cursor = cursorOf(request);
  const limit = request.limit ?? MAX_PAGE;
  const revision = cursor?.revision ?? position;
  const documents = await storage.readRecordPage<Value>(cursor?.key ?? '', limit);
  const changesSince = await storage.readChangesAfter<Value>(revision);
  const before = new Map<string, StoredRecord<Value> | undefined>();
  for (const change of changesSince.toReversed()) {
    before.set(change.key, change.previous);
  }
  const records = documents.flatMap(
    (document) => (before.has(document.key) ? before.get(document.key) : fromRecordDocument(document)) ?? [],
  );
  const last = documents.at(-1);
  return toPage(
    records,
    revision,
    documents.length === limit && last !== undefined && { key: last.key, revision },
  );
}

function toPage<Value>(
  records: readonly StoredRecord<Value>[],
  revision: number,
  next: Cursor | false,
): Page<Value> {
  return next === false
    ? { records, revision }
    : {
        records,
        revision,
        next: writeCursor(next.revision === undefined ? [next.key] : [next.key, next.revision]),
      };
}

function cursorOf({ after }: PageRequest): Cursor | undefined {
  return after === undefined ? undefined : readCursor(after, takeCursor);
}

function takeCursor([key, revision]: readonly unknown[]): Cursor | undefined {
  if (typeof key !== 'string' || !(revision === undefined || Number.isSafeInteger(revision))) {
    return undefined;
  }
  return { key, ...(typeof revision === 'number' && { revision }) };
}
