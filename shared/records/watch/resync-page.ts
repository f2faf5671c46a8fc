import { readCursor, writeCursor } from '../../platform/cursor.ts';
import { unavailable } from '../../platform/errors.ts';
import type { StoredRecord } from '../change.ts';
import type { Listing } from '../listing.ts';
import type { Records } from '../records.ts';
import type { Scope } from '../scope.ts';
import { readScopeChanges } from './scope-changes.ts';
import type { WatchHub } from './watch-hub.ts';

/** Bytes of values on a page, after which it ends. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Changes of a scope while its pages are read. */
const MAX_CHANGES_MEANWHILE = 10_000;

/** Where a page of one scope begins. */
export interface PageStart {
  /** Behind this key. */
  readonly key: string;
  /** What all pages show; undefined on the first. */
  readonly revision: number | undefined;
}

export interface ScopePage {
  readonly records: readonly StoredRecord<unknown>[];
  readonly revision: number;
  /** Absent on the last page. */
  readonly next?: PageStart;
}

export interface ResyncReader {
  readonly records: Records;
  readonly hub: WatchHub;
}

/**
 * A page of the records under a prefix in one scope, all pages as they were at the revision of the first: what was written
 * since is undone.
 *
 * @throws SkerryError `compacted` or `unavailable` when they cannot be had as they were any more.
 */
export async function readScopePage(
  reader: ResyncReader,
  scope: Scope,
  prefix: string,
  { start, limit }: { readonly start?: PageStart | undefined; readonly limit: number },
): Promise<ScopePage> {
  let { key, revision } = start ?? { key: '', revision: undefined };
  const found: StoredRecord<unknown>[] = [];
  let bytes = 0;
  for (;;) {
    const after = key === '' ? undefined : writeCursor(revision === undefined ? [key] : [key, revision]);
    const listing = await reader.records.list<unknown>(scope, { after, limit, prefix });
    revision ??= listing.revision;
    const upTo = listing.next === undefined ? undefined : keyOf(listing.next);
    const shown = await undo(reader, scope, prefix, { listing, revision, after: key, upTo });
    found.push(...shown);
    bytes += shown.reduce((sum, { value }) => sum + JSON.stringify(value).length, 0);
    if (upTo === undefined) {
      return { records: found, revision };
    }
    key = upTo;
    if (found.length >= limit || bytes >= MAX_PAGE_BYTES) {
      return { records: found, revision, next: { key, revision } };
    }
  }
}

/** The records of a listing as they were at a revision, between two keys. */
async function undo(
  { hub, records }: ResyncReader,
  scope: Scope,
  prefix: string,
  page: { listing: Listing<unknown>; revision: number; after: string; upTo: string | undefined },
): Promise<StoredRecord<unknown>[]> {
  const { listing, revision, after, upTo } = page;
  if (listing.revision === revision) {
    return [...listing.records];
  }
  const wanted = { prefix, limit: MAX_CHANGES_MEANWHILE };
  const since = await readScopeChanges(scope, hub.follow(scope), revision, wanted);
  if (since.revision < listing.revision) {
    throw unavailable('The records change faster than their pages are read.', {
      fix: 'Begin the resync again, with larger pages or a narrower prefix.',
    });
  }
  const before = new Map<string, StoredRecord<unknown> | undefined>();
  for (const { change } of since.changes.toReversed()) {
    before.set(change.key, change.previous);
  }
  const changed = [...before.values()].flatMap((record) => {
    const isOnPage = record !== undefined && record.key > after && (upTo === undefined || record.key <= upTo);
    return isOnPage ? record : [];
  });
  const alive = await records.alive(scope, changed);
  return [...listing.records.filter(({ key }) => !before.has(key)), ...alive].sort((one, other) =>
    one.key < other.key ? -1 : 1,
  );
}

function keyOf(cursor: string): string {
  return readCursor(cursor, ([key]) => (typeof key === 'string' ? key : undefined));
}
