import { readCursor, writeCursor } from '../../platform/cursor.ts';
import { invalid } from '../../platform/errors.ts';
import type { Change, StoredRecord } from '../change.ts';
import { fromRecordDocument } from '../documents.ts';
import type { LogStorage } from '../log/log-storage.ts';
import { takePage } from '../log/take-page.ts';
import { historyCompacted } from './head.ts';

export interface HistoryRequest {
  /** Only changes of this key and of the keys below it, as `isUnder` has it; all of the scope without it. */
  readonly prefix?: string | undefined;
  /** `newest` first unless said otherwise. */
  readonly order?: 'newest' | 'oldest' | undefined;
  /** Cursor: the `next` of the page before. */
  readonly after?: string | undefined;
  /** Changes of a page. */
  readonly limit: number;
}

/** A page of a scope's changes. */
export interface HistoryPage<Value> {
  readonly changes: readonly Change<Value>[];
  /** The newest revision of the scope. */
  readonly revision: number;
  /** Where history begins: changes up to this revision are gone, and a page that would go on with them just ends. */
  readonly compactedTo: number;
  /** Cursor of the next page; absent on the last one. */
  readonly next?: string;
}

/**
 * Reads a page of changes.
 *
 * @param position a revision that is proven current.
 * @throws SkerryError `invalid` for a malformed cursor.
 */
export async function readHistory<Value>(
  storage: LogStorage,
  position: number,
  { prefix, order = 'newest', after, limit }: HistoryRequest,
): Promise<HistoryPage<Value>> {
  const cursor = after === undefined ? undefined : readCursor(after, takeRevision);
  const { compactedTo: knownGone } = await storage.readHead();
  const bounds =
    order === 'newest'
      ? { above: knownGone, upTo: Math.min(position, (cursor ?? Number.POSITIVE_INFINITY) - 1) }
      : { above: Math.max(knownGone, cursor ?? 0), upTo: position };
  const { items: changes, isCut } = await takePage(
    storage.readChangePages<Value>({ prefix, order, ...bounds, limit: limit + 1 }),
    limit,
    ({ value, previous }) => [value, previous?.value],
  );
  const { compactedTo } = await storage.readHead();
  const standing = changes.filter(({ revision }) => revision > compactedTo);
  const last = changes.at(-1);
  const goesOn = isCut && last !== undefined && (order === 'oldest' || last.revision > compactedTo + 1);
  return {
    changes: standing,
    revision: position,
    compactedTo,
    ...(goesOn && { next: writeCursor([last.revision]) }),
  };
}

/**
 * One record as it was at a revision; undefined when there was none.
 *
 * @param position a revision that is proven current.
 * @throws SkerryError `compacted` when history begins after the revision; `invalid` for a revision beyond the newest.
 */
export async function readRecordAt<Value>(
  storage: LogStorage,
  position: number,
  { key, revision }: { readonly key: string; readonly revision: number },
): Promise<StoredRecord<Value> | undefined> {
  checkReached(revision, position);
  const document = await storage.readRecordDocument<Value>(key);
  const record =
    document === undefined || document.revision <= revision
      ? document && fromRecordDocument(document)
      : (await readFirstChange<Value>(storage, key, revision))?.previous;
  await checkKept(storage, revision, position);
  return record;
}

/**
 * To be called when what was read at a revision has been read.
 *
 * @throws SkerryError `compacted` when some of it may have been gone.
 */
export async function checkKept(storage: LogStorage, revision: number, position: number): Promise<void> {
  const head = await storage.readHead();
  if (revision < head.compactedTo) {
    const fix = `Ask for revision ${head.compactedTo} or a later one; a listing begins anew.`;
    throw historyCompacted(head, position, fix);
  }
}

/** What to do about any revision of a scope that has none. */
export const NOTHING_WRITTEN = 'Check the name: nothing was ever written there.';

/** @throws SkerryError `invalid` for a revision beyond the newest. */
export function checkReached(revision: number, position: number): void {
  if (revision > position) {
    throw invalid(`Revision ${revision} is not reached yet; the newest is ${position}.`, {
      field: 'revision',
      fix: position === 0 ? NOTHING_WRITTEN : `Ask for a revision up to ${position}.`,
    });
  }
}

async function readFirstChange<Value>(
  storage: LogStorage,
  key: string,
  above: number,
): Promise<Change<Value> | undefined> {
  for await (const [change] of storage.readChangePages<Value>({ key, above, limit: 1 })) {
    if (change !== undefined) return change;
  }
  return undefined;
}

function takeRevision([revision]: readonly unknown[]): number | undefined {
  return typeof revision === 'number' && Number.isSafeInteger(revision) ? revision : undefined;
}
