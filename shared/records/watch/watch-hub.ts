import type { Clock } from '../../platform/clock.ts';
import { isUnavailable } from '../../platform/errors.ts';
import type { Change } from '../change.ts';
import type { Records } from '../records.ts';
import type { Scope } from '../scope.ts';
import type { ChangeFeed, FeedPage, FeedReader, FoundChange } from './change-feed.ts';
import { matches } from './change-filter.ts';
import { FeedWindow } from './feed-window.ts';
import { PrefixIndex } from './prefix-index.ts';
import { Waiter, type WaiterRequest, type Wake } from './waiter.ts';
import { type Place, type PlaceLimits, WatchPlaces } from './watch-places.ts';
import { type WatchedScope, WatchedScopes } from './watched-scopes.ts';

/** How long the loop rests, in milliseconds: while something happens, and at the most. */
const BUSY_REST = 100;
/** However often it is nudged. */
const SHORTEST_REST = 20;
const IDLE_REST = 1_000;
const REST_GROWTH = 1.5;

/** Scopes that are asked one by one; of more, one reading of the whole container's feed tells. */
const MAX_ASKED_SCOPES = 8;
/** Scopes that are proven at a time when the loop begins to read the feed. */
const PROOFS_AT_ONCE = 16;
/** Pages of the feed before other things get their turn. */
const MAX_PAGES_AT_ONCE = 20;

/** How long after the last watch of several scopes the feed is still read on from where it was read to, in milliseconds. */
const FEED_MEMORY = 60_000;

export interface WatchHubOptions extends PlaceLimits {
  readonly records: Records;
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  /** Whether a scope may be seen by those who watch several. */
  readonly isVisible: (scope: Scope) => boolean;
}

/**
 * Tells everyone in this process who waits that something changed below their prefix. One loop serves them all, as often as
 * something happens, and stops when nobody waits; what this process writes is known at once. Waiters are held in memory
 * alone: however many wait, storage is asked as often as for one.
 */
export class WatchHub {
  readonly window: FeedWindow;
  readonly #options: WatchHubOptions;
  readonly places: WatchPlaces;
  readonly #scopes: WatchedScopes;
  readonly #waiters = new Set<Waiter>();
  readonly #index = new PrefixIndex<Waiter>();
  readonly #unproven = new Set<WatchedScope>();
  #wideWaiters = 0;
  #reader: FeedReader | undefined;
  #isRunning = false;
  #isClosed = false;
  #rest = BUSY_REST;
  #earliestDeadline = Number.POSITIVE_INFINITY;
  #wakeUp: (() => void) | undefined;
  #wasNudged = false;
  #lookedAt = 0;
  #isTakingFeed = false;

  constructor(options: WatchHubOptions) {
    this.#options = options;
    this.places = new WatchPlaces(options);
    this.#scopes = new WatchedScopes(options.records);
    this.window = new FeedWindow(({ scope }) => options.isVisible(scope));
    options.records.onChange((scope, change) => this.#note(scope, change));
  }

  /** Keeps what this process knows of a scope at hand. */
  follow(scope: Scope): WatchedScope {
    return this.#scopes.follow(scope);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * @param place one that somebody else has taken for the waiter, and releases; or who is to have one.
   * @throws SkerryError as `WatchPlaces.take` does, where one has to be taken.
   */
  join(request: WaiterRequest, place?: Place | string): Waiter {
    const own = typeof place === 'object' ? undefined : this.places.take(place);
    const waiter = new Waiter(request, own);
    this.#waiters.add(waiter);
    this.#index.add(waiter);
    if (waiter.scope === undefined) {
      if (this.#wideWaiters === 0 && this.#isFeedForgotten()) {
        this.window.clear();
      }
      this.#wideWaiters += 1;
    } else {
      const newlyWatched = this.#scopes.join(waiter.scope, waiter);
      if (newlyWatched !== undefined) {
        this.#unproven.add(newlyWatched);
      }
    }
    if (this.#isClosed) {
      waiter.close();
    }
    this.#start();
    return waiter;
  }

  leave(waiter: Waiter): void {
    if (!this.#waiters.delete(waiter)) {
      return;
    }
    this.#index.delete(waiter);
    waiter.close();
    waiter.place?.release();
    if (waiter.scope === undefined) {
      this.#wideWaiters -= 1;
      return;
    }
    const abandoned = this.#scopes.leave(waiter.scope, waiter);
    if (abandoned !== undefined) {
      this.#unproven.delete(abandoned);
    }
  }

  /** Waits until something changed that the waiter has not been told of, at the longest until `deadline`. */
  async wait(waiter: Waiter, deadline: number): Promise<Wake> {
    if (deadline < this.#earliestDeadline) {
      this.#earliestDeadline = deadline;
      this.#wakeUp?.();
    }
    return await waiter.next(deadline);
  }

  /** Ends every wait, those that come later too, so that the process can end. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of this.#waiters) {
      waiter.close();
    }
  }

  #start(): void {
    if (this.#isRunning) {
      if (this.#unproven.size > 0) this.#nudge();
      return;
    }
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    this.#rest = BUSY_REST;
    while (this.#waiters.size > 0) {
      this.#wasNudged = false;
      this.#lookedAt = this.#options.clock.now();
      const foundSome = await this.#look();
      this.#rest = foundSome || this.#wasNudged ? BUSY_REST : Math.min(this.#rest * REST_GROWTH, IDLE_REST);
      await this.#sleep();
    }
    this.#reader = undefined;
    this.#isRunning = false;
  }

  /** Until the next look is due, while it ends what is late. */
  async #sleep(): Promise<void> {
    const { clock } = this.#options;
    const start = clock.now();
    while (this.#waiters.size > 0) {
      const now = clock.now();
      this.#expireWaiters(now);
      const due = this.#wasNudged ? this.#lookedAt + SHORTEST_REST : start + this.#rest;
      if (now >= due) {
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wakeUp = resolve;
        void clock.sleep(Math.max(1, Math.min(due, this.#earliestDeadline) - now)).then(resolve);
      });
      this.#wakeUp = undefined;
    }
  }

  #expireWaiters(now: number): void {
    if (now < this.#earliestDeadline) {
      return;
    }
    let earliest = Number.POSITIVE_INFINITY;
    for (const waiter of this.#waiters) {
      waiter.expire(now);
      earliest = Math.min(earliest, waiter.deadline);
    }
    this.#earliestDeadline = earliest;
  }

  #nudge(): void {
    this.#wasNudged = true;
    this.#wakeUp?.();
  }

  /**
   * Whether something changed. An outage is no news: those who wait find out by themselves when their time is over. From what
   * is wrong otherwise, such as a feed that begins anew, it recovers by reading from now on.
   */
  async #look(): Promise<boolean> {
    try {
      if (this.#wideWaiters > 0 || this.#scopes.waitedFor > MAX_ASKED_SCOPES) {
        return await this.#lookIntoFeed();
      }
      this.#reader = undefined;
      return await this.#askScopes(this.#scopes.waited());
    } catch (error) {
      this.#reader = undefined;
      if (!isUnavailable(error)) {
        this.window.clear();
      }
      return false;
    }
  }

  async #lookIntoFeed(): Promise<boolean> {
    if (this.#reader === undefined) {
      await this.#startReading();
    }
    await this.#askScopes([...this.#unproven]);
    let foundSome = false;
    for (let pages = 0; pages < MAX_PAGES_AT_ONCE; pages += 1) {
      const page = await this.#reader?.read();
      if (page === undefined) {
        break;
      }
      foundSome ||= page.changes.length > 0;
      await this.#take(page);
      if (page.isDrained) {
        break;
      }
    }
    return foundSome;
  }

  /** From where it was read to lately, or else from now on, which says nothing of what was missed. */
  async #startReading(): Promise<void> {
    const { feed } = this.#options;
    if (this.#wideWaiters === 0 && this.#isFeedForgotten()) {
      this.window.clear();
    }
    const { head } = this.window;
    if (head !== undefined) {
      this.#reader = feed.from(head.position);
      return;
    }
    const reader = feed.fromNow();
    this.window.push(await reader.read());
    this.#reader = reader;
    for (const watched of this.#scopes.waited()) {
      this.#unproven.add(watched);
    }
    for (const waiter of this.#waiters) {
      if (waiter.scope === undefined) {
        waiter.tell();
      }
    }
  }

  #isFeedForgotten(): boolean {
    const { head } = this.window;
    const isRead = this.#reader !== undefined;
    return !isRead && head !== undefined && head.completeSince < this.#options.clock.now() - FEED_MEMORY;
  }

  async #take(page: FeedPage): Promise<void> {
    this.window.push(page);
    this.#isTakingFeed = true;
    const interrupted = this.#advanceScopes(page.changes);
    this.#isTakingFeed = false;
    for (const { scope, change } of page.changes) {
      if (this.#options.isVisible(scope)) {
        this.#tell(scope, change, (waiter) => waiter.scope === undefined);
      }
    }
    for (const watched of interrupted) {
      this.#unproven.add(watched);
    }
    await this.#askScopes([...interrupted]);
  }

  /** Moves the scopes that are followed, and gives those back that are waited for and have missed something. */
  #advanceScopes(changes: readonly FoundChange[]): Set<WatchedScope> {
    const interrupted = new Set<WatchedScope>();
    for (const { scope, change } of changes) {
      const watched = this.#scopes.find(scope);
      const position = watched?.state.position;
      if (watched === undefined || position === undefined || interrupted.has(watched)) {
        continue;
      }
      if (change.revision <= position + 1) {
        watched.state.advance([change]);
      } else if (watched.waiters.size > 0) {
        interrupted.add(watched);
      }
    }
    return interrupted;
  }

  /** Proves scopes current; what changed in them is noted on the way. */
  async #askScopes(scopes: readonly WatchedScope[]): Promise<boolean> {
    let foundSome = false;
    for (let start = 0; start < scopes.length; start += PROOFS_AT_ONCE) {
      const proofs = scopes.slice(start, start + PROOFS_AT_ONCE).map(async (watched) => {
        const { position } = watched.state;
        await watched.state.prove();
        this.#unproven.delete(watched);
        foundSome ||= position !== watched.state.position;
      });
      await Promise.all(proofs);
    }
    return foundSome;
  }

  /** A change that this process wrote, or read of. */
  #note(scope: Scope, change: Change<unknown>): void {
    const watched = this.#scopes.find(scope);
    if (watched !== undefined) {
      this.#scopes.push(watched, change);
      // Who is told reads later, when all of its transaction is known.
      this.#tell(scope, change, (waiter) => waiter.scope !== undefined);
    }
    // Those who watch several scopes go by the feed, which is behind what this process writes.
    if (this.#wideWaiters > 0 && !this.#isTakingFeed && this.#isWatchedWidely(scope, change)) {
      this.#nudge();
    }
  }

  #isWatchedWidely({ ns }: Scope, change: Change<unknown>): boolean {
    for (const waiter of this.#index.covering(ns, change.key)) {
      if (waiter.scope === undefined) {
        return true;
      }
    }
    return false;
  }

  #tell(scope: Scope, change: Change<unknown>, isAddressed: (waiter: Waiter) => boolean): void {
    for (const waiter of this.#index.covering(scope.ns, change.key)) {
      if (isAddressed(waiter) && matches(waiter, change)) {
        waiter.tell();
      }
    }
  }
}
