import { readCursor, writeCursor } from '../../platform/cursor.ts';
import type { StoredRecord } from '../change.ts';
import { fromRecordDocument } from '../documents.ts';
import { checkKept, checkReached } from '../history/history.ts';
import type { KeyOrder } from '../key.ts';
import type { IsGone } from '../leases/lifetimes.ts';
import type { ChangeRange, LogStorage } from './log-storage.ts';
import type { Snapshot } from './snapshot.ts';

export interface PageRequest {
  /** Cursor: the `next` of the page before. */
  readonly after?: string | undefined;
  /** Most records of a page, 1 to 5,000. */
  readonly limit?: number | undefined;
  /** Only records under this key, as `isUnder` has it. */
  readonly prefix?: string | undefined;
  /** Ascending, unless said otherwise; the same on all pages. */
  readonly order?: KeyOrder | undefined;
  /** The revision of the scope that is shown; the newest without it. */
  readonly revision?: number | undefined;
}

/** A page of a scope's records in the order of their keys. */
export interface Listing<Value> {
  readonly records: readonly StoredRecord<Value>[];
  /** The revision of the scope at which the page was so. */
  readonly revision: number;
  /** Whether something is left out that has lapsed: at this revision the page may have shown it before. */
  readonly hidesLapsed: boolean;
  /** Whole seconds since the page was last proven current. */
  readonly ageSeconds: number;
  /** Cursor of the next page; absent on the last one. */
  readonly next?: string;
}

/** All records of a listing. */
export type WholeListing<Value> = Pick<Listing<Value>, 'records' | 'revision' | 'ageSeconds'>;

const MAX_PAGE = 5_000;

/** Where a page begins and, for scopes that are listed from storage, the revision that all pages show. */
interface Cursor {
  readonly key: string;
  readonly revision?: number;
}

type Page<Value> = Omit<Listing<Value>, 'ageSeconds'>;

export function listFromSnapshot<Value>(
  snapshot: Snapshot<Value>,
  request: PageRequest,
  isGone: IsGone,
): Page<Value> {
  const { prefix = '', limit = MAX_PAGE, order = 'ascending' } = request;
  const after = cursorOf(request)?.key ?? '';
  const records: StoredRecord<Value>[] = [];
  let hidesLapsed = false;
  for (const record of snapshot.recordsUnder(prefix, after, order)) {
    if (isGone(record)) {
      hidesLapsed = true;
    } else if (records.length === limit) {
      return toPage(records, hidesLapsed, snapshot.revision, { key: records.at(-1)?.key ?? '' });
    } else {
      records.push(record);
    }
  }
  return toPage(records, hidesLapsed, snapshot.revision, undefined);
}

/**
 * Lists a scope that is too large for memory, or as it was in the past: at one revision on all pages. What was written since is
 * undone by the previous values in the changes since. What has lapsed by now is on none of them.
 *
 * @param position a revision that is proven current; the first page shows it, unless the request names one.
 * @throws SkerryError `compacted` when the state at the revision can no longer be told, `invalid` when it is not reached.
 */
export async function listFromStorage<Value>(
  storage: LogStorage,
  position: number,
  request: PageRequest,
  isGone: IsGone,
): Promise<Page<Value>> {
  const { prefix = '', limit = MAX_PAGE, order = 'ascending' } = request;
  const cursor = cursorOf(request, position);
  const revision = cursor?.revision ?? request.revision ?? position;
  checkReached(revision, position);
  const after = cursor?.key ?? '';
  const { documents, isLast } = await storage.readRecordPage<Value>({ after, prefix, limit, order });
  const first = documents[0];
  const last = documents.at(-1);
  const overwritten = new Set(documents.filter((one) => one.revision > revision).map(({ key }) => key));
  const [from, upTo] = order === 'ascending' ? [first, last] : [last, first];
  const range = { above: revision, keys: { from: from?.key ?? '', upTo: upTo?.key ?? '' } };
  const before = await readUndone<Value>(storage, overwritten, range);
  const records = documents.flatMap(
    (document) =>
      (overwritten.has(document.key) ? before.get(document.key) : fromRecordDocument(document)) ?? [],
  );
  if (revision < position) {
    await checkKept(storage, revision, position);
  }
  const shown = records.filter((record) => !isGone(record));
  return toPage(
    shown,
    shown.length < records.length,
    revision,
    isLast || last === undefined ? undefined : { key: last.key, revision },
  );
}

/** What some keys held before their first changes in a range; reads no further than it needs to. */
async function readUndone<Value>(
  storage: LogStorage,
  keys: ReadonlySet<string>,
  range: ChangeRange,
): Promise<Map<string, StoredRecord<Value> | undefined>> {
  const undone = new Map<string, StoredRecord<Value> | undefined>();
  if (keys.size === 0) {
    return undone;
  }
  for await (const page of storage.readChangePages<Value>(range)) {
    for (const change of page) {
      if (keys.has(change.key) && !undone.has(change.key)) {
        undone.set(change.key, change.previous);
      }
    }
    if (undone.size === keys.size) {
      break;
    }
  }
  return undone;
}

/**
 * All pages of a listing. Revision and age are those of the first: what was written between two pages may be in it already, and whoever
 * asks whether that revision is current is told that it is not.
 */
export async function listAllPages<Value>(
  list: (after: string | undefined) => Promise<Listing<Value>>,
): Promise<WholeListing<Value>> {
  const { revision, ageSeconds, ...first } = await list(undefined);
  const records = [...first.records];
  let after = first.next;
  while (after !== undefined) {
    const page: Listing<Value> = await list(after);
    records.push(...page.records);
    after = page.next;
  }
  return { records, revision, ageSeconds };
}

function toPage<Value>(
  records: readonly StoredRecord<Value>[],
  hidesLapsed: boolean,
  revision: number,
  next: Cursor | undefined,
): Page<Value> {
  const page = { records, hidesLapsed, revision };
  return next === undefined
    ? page
    : { ...page, next: writeCursor(next.revision === undefined ? [next.key] : [next.key, next.revision]) };
}

/** Whether a page goes on with a listing of one revision, which memory may be beyond. */
export function isPinned(request: PageRequest): boolean {
  return cursorOf(request)?.revision !== undefined;
}

/** @param position the newest revision that a page can have shown. */
function cursorOf({ after }: PageRequest, position = Number.MAX_SAFE_INTEGER): Cursor | undefined {
  return after === undefined ? undefined : readCursor(after, (parts) => takeCursor(parts, position));
}

function takeCursor([key, revision]: readonly unknown[], position: number): Cursor | undefined {
  if (typeof key !== 'string') {
    return undefined;
  }
  if (revision === undefined) {
    return { key };
  }
  const isReached =
    typeof revision === 'number' && Number.isSafeInteger(revision) && revision >= 0 && revision <= position;
  return isReached ? { key, revision } : undefined;
}
