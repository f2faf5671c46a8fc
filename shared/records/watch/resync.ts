import { readCursor, writeCursor } from '../../platform/cursor.ts';
import { unavailable } from '../../platform/errors.ts';
import type { StoredRecord } from '../change.ts';
import type { Scope } from '../scope.ts';
import { scopeId } from '../scope.ts';
import type { ChangeFeed } from './change-feed.ts';
import { type PageStart, type ResyncReader, readScopePage } from './resync-page.ts';
import type { WatchRange } from './watch-range.ts';
import { MAX_HELD_SCOPES, markOf, readWideCursor, type WideCursor, writeWideCursor } from './wide-cursor.ts';

/** Scopes that are read at a time. */
const SCOPES_AT_ONCE = 8;
/** Pages of the feed that are read through for what changed while records were read. */
const MAX_FEED_PAGES = 50;

export interface ResyncRequest {
  /** The `next` of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface ResyncPage {
  readonly records: readonly StoredRecord<unknown>[];
  /** Absent on the last page. */
  readonly next?: string;
  /** Where to go on after the last page; the last page's counts. */
  readonly cursor: string;
}

interface WideStart {
  readonly cursor: WideCursor;
  /** Id of the scope that the page begins in; those before are done. */
  readonly scope: string;
  readonly start: PageStart | undefined;
}

/** Everything that there is under what is watched, page by page, and where to go on from there. */
export class Resync {
  readonly #reader: ResyncReader;
  readonly #feed: ChangeFeed;

  constructor(reader: ResyncReader, feed: ChangeFeed) {
    this.#reader = reader;
    this.#feed = feed;
  }

  /** @throws SkerryError `invalid` when `after` is no cursor of a resync; `compacted` or `unavailable` when it has to begin again. */
  async page(range: WatchRange, request: ResyncRequest): Promise<ResyncPage> {
    return range.scope === undefined
      ? await this.#widePage(range, request)
      : await this.#scopePage(range.scope, range.prefix, request);
  }

  async #scopePage(scope: Scope, prefix: string, { after, limit }: ResyncRequest): Promise<ResyncPage> {
    const start = after === undefined ? undefined : readCursor(after, takePageStart);
    const { records, revision, next } = await readScopePage(this.#reader, scope, prefix, { start, limit });
    return {
      records,
      cursor: String(revision),
      ...(next !== undefined && { next: writeCursor([next.key, revision]) }),
    };
  }

  /**
   * The position of the feed is taken before anything is read. What changed between then and the reading of a scope is looked
   * up in the feed, so that the cursor can say which of it the records hold already.
   */
  async #widePage(range: WatchRange, { after, limit }: ResyncRequest): Promise<ResyncPage> {
    const {
      cursor,
      scope: first,
      start,
    } = after === undefined ? await this.#begin() : readCursor(after, takeWideStart);
    const scopes = (await this.#scopesOf(range)).filter((scope) => scopeId(scope) >= first);
    const records: StoredRecord<unknown>[] = [];
    const read = new Map<string, number>();
    let next: Omit<WideStart, 'cursor'> | undefined;
    for (let index = 0; index < scopes.length && next === undefined; index += SCOPES_AT_ONCE) {
      const group = scopes.slice(index, index + SCOPES_AT_ONCE);
      const pages = await Promise.all(
        group.map(async (scope) => {
          const own = scopeId(scope) === first ? start : undefined;
          return {
            scope,
            page: await readScopePage(this.#reader, scope, range.prefix, { start: own, limit }),
          };
        }),
      );
      for (const { scope, page } of pages) {
        if (records.length >= limit) {
          next = { scope: scopeId(scope), start: undefined };
          break;
        }
        records.push(...page.records);
        read.set(scopeId(scope), page.revision);
        if (page.next !== undefined) {
          next = { scope: scopeId(scope), start: page.next };
          break;
        }
      }
    }
    const extended = { ...cursor, held: await this.#findHeld(cursor, read) };
    return {
      records,
      cursor: writeWideCursor(extended),
      ...(next !== undefined && { next: writeWideStart({ cursor: extended, ...next }) }),
    };
  }

  async #begin(): Promise<WideStart> {
    const { position, askedAt } = await this.#feed.fromNow().read();
    return {
      cursor: { position, completeSince: askedAt, held: new Map() },
      scope: '',
      start: undefined,
    };
  }

  async #scopesOf({ ns, kinds }: WatchRange): Promise<Scope[]> {
    const lists = await Promise.all(
      kinds.map(async ({ kind, isNamed }) =>
        isNamed ? (await this.#reader.records.scopes(ns, kind)).scopes : [{ ns, kind, name: '' }],
      ),
    );
    return lists.flat().sort((one, other) => (scopeId(one) < scopeId(other) ? -1 : 1));
  }

  /**
   * @param read revisions by scope, read after the position of the cursor was taken.
   * @returns those of them that changes behind that position have led to, and those that the cursor holds.
   */
  async #findHeld(
    cursor: WideCursor,
    read: ReadonlyMap<string, number>,
  ): Promise<ReadonlyMap<string, number>> {
    if (read.size === 0) {
      return cursor.held;
    }
    const held = new Map(cursor.held);
    const reader = this.#feed.from(cursor.position);
    for (let pages = 0; pages < MAX_FEED_PAGES; pages += 1) {
      const { changes, isDrained } = await reader.read();
      for (const { scope, change } of changes) {
        const revision = read.get(scopeId(scope)) ?? 0;
        if (change.revision <= revision) {
          held.set(markOf(scope), revision);
        }
      }
      if (held.size > MAX_HELD_SCOPES) {
        break;
      }
      if (isDrained) {
        return held;
      }
    }
    throw unavailable('Too much has changed since the resync began.', {
      fix: 'Begin it again, with larger pages or a narrower prefix.',
    });
  }
}

function takePageStart([key, revision]: readonly unknown[]): PageStart | undefined {
  return typeof key === 'string' && typeof revision === 'number' && Number.isSafeInteger(revision)
    ? { key, revision }
    : undefined;
}

function writeWideStart({ cursor, scope, start }: WideStart): string {
  const parts = [writeWideCursor(cursor), scope];
  return writeCursor(start?.revision === undefined ? parts : [...parts, start.key, start.revision]);
}

function takeWideStart([cursor, scope, ...rest]: readonly unknown[]): WideStart | undefined {
  const start = takePageStart(rest);
  if (typeof cursor !== 'string' || typeof scope !== 'string' || (rest.length > 0 && start === undefined)) {
    return undefined;
  }
  return { cursor: readWideCursor(cursor), scope, start };
}
