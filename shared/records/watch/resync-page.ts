import { readCursor, writeCursor } from '../../platform/cursor.ts';
import { unavailable } from '../../platform/errors.ts';
import type { StoredRecord } from '../change.ts';
import { isUnder } from '../key.ts';
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
  const end = keyBehind(prefix);
  let { key = keyBefore(prefix), revision } = start ?? {};
  const found: StoredRecord<unknown>[] = [];
  let bytes = 0;
  for (;;) {
    const listing = await listBehind(reader.records, scope, { key, revision }, limit);
    revision ??= listing.revision;
    const lastKey = listing.next === undefined ? end : keyOf(listing.next);
    const shown = await undo(reader, scope, prefix, { listing, revision, after: key, upTo: lastKey });
    found.push(...shown);
    bytes += shown.reduce((sum, { value }) => sum + JSON.stringify(value).length, 0);
    if (listing.next === undefined || lastKey >= end) {
      return { records: found, revision };
    }
    key = lastKey;
    if (found.length >= limit || bytes >= MAX_PAGE_BYTES) {
      return { records: found, revision, next: { key, revision } };
    }
  }
}

async function listBehind(
  records: Records,
  scope: Scope,
  { key, revision }: PageStart,
  limit: number,
): Promise<Listing<unknown>> {
  const after = writeCursor(revision === undefined ? [key] : [key, revision]);
  return await records.list<unknown>(scope, { after, limit });
}

/** The records of a listing under the prefix as they were at a revision. */
async function undo(
  { hub }: ResyncReader,
  scope: Scope,
  prefix: string,
  page: { listing: Listing<unknown>; revision: number; after: string; upTo: string },
): Promise<StoredRecord<unknown>[]> {
  const { listing, revision, after, upTo } = page;
  const current = listing.records.filter(({ key }) => isUnder(prefix, key));
  if (listing.revision === revision) {
    return current;
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
  const changed = [...before].flatMap(([key, record]) =>
    record !== undefined && key > after && key <= upTo ? record : [],
  );
  return [...current.filter(({ key }) => !before.has(key)), ...changed].sort((one, other) =>
    one.key < other.key ? -1 : 1,
  );
}

/** No key under the prefix is before this, and none of others behind it is as near. */
function keyBefore(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return prefix.endsWith('/') ? prefix : `${prefix.slice(0, -1)}${String.fromCharCode(last - 1)}\uffff`;
}

/** All keys under the prefix are before this. */
function keyBehind(prefix: string): string {
  return `${prefix.endsWith('/') ? prefix.slice(0, -1) : prefix}0`;
}

function keyOf(cursor: string): string {
  return readCursor(cursor, ([key]) => (typeof key === 'string' ? key : undefined));
}
