import type { Container } from '@azure/cosmos';
import type { Clock } from '../../platform/clock.ts';
import { invalid } from '../../platform/errors.ts';
import type { Records } from '../records.ts';
import type { Scope } from '../scope.ts';
import { ChangeFeed } from './change-feed.ts';
import { CompactionCheck } from './compaction-check.ts';
import type { Follower } from './follower.ts';
import { Resync, type ResyncPage, type ResyncRequest } from './resync.ts';
import type { WantedChanges } from './scope-changes.ts';
import { ScopeFollower } from './scope-follower.ts';
import { WatchHub } from './watch-hub.ts';
import type { Place, PlaceLimits } from './watch-places.ts';
import type { WatchRange } from './watch-range.ts';
import { readWideCursor } from './wide-cursor.ts';
import { WideFollower } from './wide-follower.ts';

export interface WatchesOptions extends PlaceLimits {
  readonly records: Records;
  /** The Cosmos container `records`. */
  readonly container: Container;
  readonly clock: Clock;
  /** Whether a scope may be seen by those who watch several. */
  readonly isVisible: (scope: Scope) => boolean;
}

/**
 * Lets everything that is stored be followed: a resync, and from there every change, as etcd promises it: ordered, unique, atomic,
 * reliable, resumable, bookmarkable, with previous values and marked creations, filtered (docs/api.md, "Watching").
 */
export class Watches {
  readonly #options: WatchesOptions;
  readonly #feed: ChangeFeed;
  readonly #hub: WatchHub;
  readonly #resync: Resync;
  readonly #compaction: CompactionCheck;

  constructor(options: WatchesOptions) {
    const { records, container, clock, maxHeld, maxHeldByOne, isVisible } = options;
    this.#options = options;
    this.#feed = new ChangeFeed(container, clock);
    this.#hub = new WatchHub({ records, feed: this.#feed, clock, maxHeld, maxHeldByOne, isVisible });
    this.#compaction = new CompactionCheck(container, clock);
    this.#resync = new Resync({
      records,
      hub: this.#hub,
      feed: this.#feed,
      compaction: this.#compaction,
    });
  }

  /** Whether every watch is being ended. */
  get isClosed(): boolean {
    return this.#hub.isClosed;
  }

  /**
   * Takes the place of a watch that is held for longer than one wait.
   *
   * @param holder the actor who watches.
   * @throws SkerryError `too-many-requests` when no further watch can be held, or none by this actor.
   */
  takePlace(holder: string): Place {
    return this.#hub.places.take(holder);
  }

  /** How many watches are held. */
  get held(): number {
    return this.#hub.places.taken;
  }

  /** @throws SkerryError see `Resync.page`. */
  async resync(range: WatchRange, request: ResyncRequest): Promise<ResyncPage> {
    return await this.#resync.page(range, request);
  }

  /**
   * @param cursor of a resync or an answer; for one scope the digits of a revision.
   * @param place where one is taken already; else each wait takes one, for the actor who is named here.
   * @throws SkerryError `invalid` when it is none.
   */
  follow(
    range: WatchRange,
    cursor: string,
    wanted: Omit<WantedChanges, 'prefix'>,
    place?: Place | string,
  ): Follower {
    const { clock, isVisible } = this.#options;
    const common = { hub: this.#hub, clock, wanted: { ...wanted, prefix: range.prefix }, place };
    return range.scope === undefined
      ? new WideFollower({
          ...common,
          feed: this.#feed,
          compaction: this.#compaction,
          isVisible: ({ scope }) => isVisible(scope),
          range,
          cursor: readWideCursor(cursor),
        })
      : new ScopeFollower({ ...common, scope: range.scope, since: readRevision(cursor) });
  }

  /**
   * Waits until something is written under a key behind a revision of its scope, or until a time, in milliseconds since the Unix
   * epoch; counts as a watch that is held.
   *
   * @returns false when the process is to end before that.
   * @throws SkerryError `too-many-requests`.
   */
  async untilChanged(
    scope: Scope,
    key: string,
    since: number,
    until: number,
    holder?: string,
  ): Promise<boolean> {
    const range = { ns: scope.ns, prefix: key, scope, kinds: [] };
    const follower = this.follow(range, String(since), { limit: 1 }, holder);
    try {
      const { changes } = await follower.next(until);
      return changes.length > 0 || this.#options.clock.now() >= until;
    } finally {
      follower.close();
    }
  }

  /** Ends every watch that is held, so that the process can end. */
  close(): void {
    this.#hub.close();
  }
}

function readRevision(cursor: string): number {
  if (!/^\d{1,15}$/.test(cursor)) {
    throw invalid('What is watched is one scope, whose cursor is a revision.', {
      field: 'cursor',
      fix: 'Take it from the answer before, or leave it out and begin with a resync.',
    });
  }
  return Number(cursor);
}
