import { readCursor, writeCursor } from '../../platform/cursor.ts';
import { unavailable } from '../../platform/errors.ts';
import type { StoredRecord } from '../change.ts';
import type { Records } from '../records.ts';
import { type Scope, scopeId } from '../scope.ts';
import type { ChangeFeed, FeedPage } from './change-feed.ts';
import type { CompactionCheck } from './compaction-check.ts';
import { readToEnd } from './read-to-end.ts';
import { type ListedPage, listPage, Undoing, undoBehind } from './resync-page.ts';
import type { WatchHub } from './watch-hub.ts';
import type { WatchRange } from './watch-range.ts';
import { readWideCursor, type WideCursor, writeWideCursor } from './wide-cursor.ts';

/** Scopes that are read at a time. */
const SCOPES_AT_ONCE = 8;
/** Pages of the feed that are read through for what changed while records were read. */
const MAX_FEED_PAGES = 200;

export interface ResyncRequest {
  /** The `next` of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface ResyncPage {
  readonly records: readonly StoredRecord<unknown>[];
  /** Absent on the last page. */
  readonly next?: string;
  /** Where to go on after the last page. */
  readonly cursor: string;
}

export interface ResyncOptions {
  readonly records: Records;
  readonly hub: WatchHub;
  readonly feed: ChangeFeed;
  readonly compaction: CompactionCheck;
}

/** Where a page of one scope begins. */
interface ScopeStart {
  /** Behind this key. */
  readonly key: string;
  /** What all pages show; undefined on the first. */
  readonly revision: number | undefined;
}

interface WideStart {
  readonly cursor: WideCursor;
  /** Id of the scope that the page begins in; those before are done. */
  readonly scope: string;
  /** Behind this key. */
  readonly key: string;
}

/**
 * Everything that there is under what is watched, page by page, and where to go on from there: all pages as it was when the first
 * was asked for, because what was written since is undone.
 */
export class Resync {
  readonly #options: ResyncOptions;

  constructor(options: ResyncOptions) {
    this.#options = options;
  }

  /** @throws SkerryError `invalid` when `after` is no cursor of a resync; `compacted` or `unavailable` when it has to begin again. */
  async page(range: WatchRange, request: ResyncRequest): Promise<ResyncPage> {
    return range.scope === undefined
      ? await this.#widePage(range, request)
      : await this.#scopePage(range.scope, range.prefix, request);
  }

  async #scopePage(scope: Scope, prefix: string, { after, limit }: ResyncRequest): Promise<ResyncPage> {
    const { records, hub } = this.#options;
    const start: ScopeStart =
      after === undefined ? { key: '', revision: undefined } : readCursor(after, takeScopeStart);
    const page = await listPage(records, { scope, prefix, after: start.key }, limit);
    const revision = start.revision ?? page.revision;
    const undoing = new Undoing(page);
    if (page.endRevision !== revision) {
      await undoBehind(undoing, hub.follow(scope), revision, prefix);
    }
    return {
      records: await undoing.shown(records),
      cursor: String(revision),
      ...(page.upTo !== undefined && { next: writeCursor([page.upTo, revision]) }),
    };
  }

  /** Shows each scope as it was at the position of the feed, which is taken before anything is read. */
  async #widePage(range: WatchRange, { after, limit }: ResyncRequest): Promise<ResyncPage> {
    const { records } = this.#options;
    const start = after === undefined ? await this.#begin() : readCursor(after, takeWideStart);
    const scopes = (await this.#scopesOf(range)).filter((scope) => scopeId(scope) >= start.scope);
    const pages: ListedPage[] = [];
    let next: Omit<WideStart, 'cursor'> | undefined;
    let found = 0;
    for (let index = 0; index < scopes.length && next === undefined; index += SCOPES_AT_ONCE) {
      const group = scopes.slice(index, index + SCOPES_AT_ONCE).map(async (scope) => {
        const key = scopeId(scope) === start.scope ? start.key : '';
        return await listPage(records, { scope, prefix: range.prefix, after: key }, limit);
      });
      for (const page of await Promise.all(group)) {
        if (found >= limit) {
          next = { scope: scopeId(page.scope), key: '' };
          break;
        }
        pages.push(page);
        found += page.records.length;
        if (page.upTo !== undefined) {
          next = { scope: scopeId(page.scope), key: page.upTo };
          break;
        }
      }
    }
    const cursor = writeWideCursor(start.cursor);
    return {
      records: await this.#showAt(range, start.cursor, pages),
      cursor,
      ...(next !== undefined && { next: writeCursor([cursor, next.scope, next.key]) }),
    };
  }

  async #begin(): Promise<WideStart> {
    const { position, askedAt } = await this.#options.feed.fromNow().read();
    return { cursor: { position, completeSince: askedAt }, scope: '', key: '' };
  }

  async #scopesOf({ ns, kinds }: WatchRange): Promise<Scope[]> {
    const { records } = this.#options;
    const lists = await Promise.all(
      kinds.map(async ({ kind, isNamed }) =>
        isNamed ? (await records.scopes(ns, kind)).scopes : [{ ns, kind, name: '' }],
      ),
    );
    return lists.flat().sort((one, other) => (scopeId(one) < scopeId(other) ? -1 : 1));
  }

  /** The records of pages, which were listed behind a position, as they were at that position. */
  async #showAt(
    range: WatchRange,
    cursor: WideCursor,
    pages: readonly ListedPage[],
  ): Promise<StoredRecord<unknown>[]> {
    const { records, feed, compaction } = this.#options;
    const undoings = new Map(pages.map((page) => [scopeId(page.scope), new Undoing(page)]));
    const undo = ({ changes }: FeedPage) => {
      for (const { scope, change } of changes) {
        undoings.get(scopeId(scope))?.undo([change]);
      }
    };
    if (undoings.size > 0 && !(await readToEnd(feed, feed.from(cursor.position), MAX_FEED_PAGES, undo))) {
      throw unavailable('Too much has changed since the resync began.', {
        fix: 'Begin it again, with larger pages or a narrower prefix.',
      });
    }
    await compaction.check(range, cursor.completeSince);
    const shown = await Promise.all([...undoings.values()].map((undoing) => undoing.shown(records)));
    return shown.flat();
  }
}

function takeScopeStart([key, revision]: readonly unknown[]): ScopeStart | undefined {
  return typeof key === 'string' && Number.isSafeInteger(revision) && Number(revision) >= 0
    ? { key, revision: Number(revision) }
    : undefined;
}

function takeWideStart([cursor, scope, key]: readonly unknown[]): WideStart | undefined {
  return typeof cursor === 'string' && typeof scope === 'string' && typeof key === 'string'
    ? { cursor: readWideCursor(cursor), scope, key }
    : undefined;
}
