import { readCursor, writeCursor } from '../../platform/cursor.ts';
import type { Change, StoredRecord } from '../change.ts';
import { historyCompacted } from '../history/head.ts';
import { isUnder } from '../key.ts';
import type { Records } from '../records.ts';
import type { Scope } from '../scope.ts';
import type { WatchedScope } from './watched-scopes.ts';

/** Bytes of values on a page, after which it ends. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** What a page shows of one scope. */
export interface PageRange {
  readonly scope: Scope;
  /** As `isUnder` has it. */
  readonly prefix: string;
  /** The key behind which it begins; empty for the first. */
  readonly after: string;
}

/** Records as they were listed, some later than others. */
export interface ListedPage extends PageRange {
  readonly records: readonly StoredRecord<unknown>[];
  /** The last key that is on the page if there is such a record; undefined where the page leads to the end. */
  readonly upTo: string | undefined;
  /** The newest revisions of the scope when the listing began, and when it ended. */
  readonly revision: number;
  readonly endRevision: number;
}

/** Lists the records of a page, as many as asked for or a few more. */
export async function listPage(records: Records, range: PageRange, limit: number): Promise<ListedPage> {
  const { scope, prefix } = range;
  const found: StoredRecord<unknown>[] = [];
  let revision: number | undefined;
  let bytes = 0;
  for (let key = range.after; ; ) {
    const after = key === '' ? undefined : writeCursor([key]);
    const listing = await records.list<unknown>(scope, { after, limit, prefix });
    revision ??= listing.revision;
    found.push(...listing.records);
    bytes += listing.records.reduce((sum, { value }) => sum + JSON.stringify(value).length, 0);
    if (listing.next === undefined) {
      return { ...range, records: found, upTo: undefined, revision, endRevision: listing.revision };
    }
    key = keyOf(listing.next);
    if (found.length >= limit || bytes >= MAX_PAGE_BYTES) {
      return { ...range, records: found, upTo: key, revision, endRevision: listing.revision };
    }
  }
}

/** Shows a page as it was before changes that were made meanwhile: by what they say was there before. */
export class Undoing {
  readonly #page: ListedPage;
  readonly #before = new Map<string, StoredRecord<unknown> | undefined>();

  constructor(page: ListedPage) {
    this.#page = page;
  }

  /** Takes in the next changes of the scope, from the oldest that is undone to the newest, which may be newer than what was listed. */
  undo(changes: readonly Change<unknown>[]): void {
    const { prefix, after, upTo } = this.#page;
    for (const { key, previous } of changes) {
      const isOnPage = isUnder(prefix, key) && key > after && (upTo === undefined || key <= upTo);
      if (isOnPage && !this.#before.has(key)) {
        this.#before.set(key, previous);
      }
    }
  }

  /** Without what has lapsed by now. */
  async shown(records: Records): Promise<readonly StoredRecord<unknown>[]> {
    const before = this.#before;
    if (before.size === 0) {
      return this.#page.records;
    }
    const restored = [...before.values()].filter((record) => record !== undefined);
    const alive = await records.alive(this.#page.scope, restored);
    return [...this.#page.records.filter(({ key }) => !before.has(key)), ...alive].sort((one, other) =>
      one.key < other.key ? -1 : 1,
    );
  }
}

/**
 * Undoes what was written behind a revision, as the log of the scope has it.
 *
 * @throws SkerryError `compacted` when that is gone.
 */
export async function undoBehind(
  undoing: Undoing,
  { window, storage, state }: WatchedScope,
  revision: number,
  prefix: string,
): Promise<void> {
  const { position } = state;
  const atHand = position === undefined ? undefined : window.between(revision, position);
  if (atHand !== undefined) {
    undoing.undo(atHand);
    return;
  }
  for await (const page of storage.readChangePages<unknown>({ prefix, above: revision })) {
    undoing.undo(page);
  }
  const head = await storage.readHead();
  if (head.compactedTo > revision) {
    throw historyCompacted(head, position ?? head.compactedTo);
  }
}

function keyOf(cursor: string): string {
  return readCursor(cursor, ([key]) => (typeof key === 'string' ? key : undefined));
}
