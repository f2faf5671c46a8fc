import type { Clock } from '../../platform/clock.ts';
import { isUnavailable, tooManyRequests } from '../../platform/errors.ts';
import { metrics } from '../../platform/telemetry/index.ts';
import type { Change } from '../change.ts';
import type { FollowedScope, Records } from '../records.ts';
import { type Scope, scopeId } from '../scope.ts';
import type { ChangeFeed, FeedPage, FeedReader, FoundChange } from './change-feed.ts';
import { matches } from './change-filter.ts';
import { FeedWindow } from './feed-window.ts';
import { Holders } from './holders.ts';
import { PrefixIndex } from './prefix-index.ts';
import { ScopeWindow } from './scope-window.ts';
import { type Place, Waiter, type WaiterRequest, type Wake } from './waiter.ts';

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

/** Scopes that are followed on after nobody waits for them, because most watches come back at once. */
const MAX_IDLE_SCOPES = 1_000;
/** How long after the last watch of several scopes the feed is still read on from where it was read to, in milliseconds. */
const FEED_MEMORY = 60_000;
const MAX_WINDOW_BYTES = 64 * 1024 * 1024;

export interface WatchHubOptions {
  readonly records: Records;
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  /** Watches that may be held at a time. */
  readonly maxHeld: number;
  /** Those among them that one caller may hold. */
  readonly maxHeldByOne?: number | undefined;
  /** Whether a scope may be seen by those who watch several. */
  readonly isVisible: (scope: Scope) => boolean;
}

/** What this process has at hand of one scope. */
export interface WatchedScope extends FollowedScope {
  readonly window: ScopeWindow;
  readonly waiters: Set<Waiter>;
}

/**
 * Tells everyone in this process who waits that something changed below their prefix. One loop serves them all, as often as
 * something happens, and stops when nobody waits; what this process writes is known at once. Waiters are held in memory
 * alone: however many wait, storage is asked as often as for one.
 */
export class WatchHub {
  readonly window: FeedWindow;
  readonly #options: WatchHubOptions;
  /** In order of use, the most recent last. */
  readonly #scopes = new Map<string, WatchedScope>();
  readonly #places = new Set<Place>();
  readonly #holders: Holders;
  readonly #waiters = new Set<Waiter>();
  readonly #index = new PrefixIndex<Waiter>();
  readonly #unproven = new Set<WatchedScope>();
  #waitedScopes = 0;
  #wideWaiters = 0;
  #windowBytes = 0;
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
    this.#holders = new Holders(options.maxHeldByOne);
    this.window = new FeedWindow(({ scope }) => options.isVisible(scope));
    options.records.onChange((scope, change) => this.#note(scope, change));
  }

  /** How many watches are held. */
  get held(): number {
    return this.#places.size;
  }

  /** Keeps what this process knows of a scope at hand. */
  follow(scope: Scope): WatchedScope {
    const id = scopeId(scope);
    const watched = this.#scopes.get(id) ?? {
      ...this.#options.records.follow(scope),
      window: new ScopeWindow(),
      waiters: new Set<Waiter>(),
    };
    this.#scopes.delete(id);
    this.#scopes.set(id, watched);
    this.#letGoIdleScopes();
    return watched;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Takes one of the places for watches that are held.
   *
   * @param holder who has it, where there is a limit for each.
   * @throws SkerryError `too-many-requests` when there is none left.
   */
  takePlace(holder?: string): Place {
    const { maxHeld } = this.#options;
    if (this.#places.size >= maxHeld) {
      throw tooManyRequests(`${maxHeld} watches are held by this process, as many as it may hold.`, {
        fix: 'Wait before the next try, or ask with "wait=0".',
      });
    }
    const giveBack = holder === undefined ? undefined : this.#holders.take(holder);
    const place = {
      release: () => {
        if (!this.#places.delete(place)) return;
        metrics.watchesHeld.add({}, -1);
        giveBack?.();
      },
    };
    this.#places.add(place);
    metrics.watchesHeld.add({});
    return place;
  }

  /**
   * @param place one that somebody else has taken for the waiter, and releases; or who is to have one.
   * @throws SkerryError as `takePlace` does, where one has to be taken.
   */
  join(request: WaiterRequest, place?: Place | string): Waiter {
    const own = typeof place === 'object' ? undefined : this.takePlace(place);
    const waiter = new Waiter(request, own);
    this.#waiters.add(waiter);
    this.#index.add(waiter);
    if (waiter.scope === undefined) {
      if (this.#wideWaiters === 0 && this.#isFeedForgotten()) {
        this.window.clear();
      }
      this.#wideWaiters += 1;
    } else {
      const watched = this.follow(waiter.scope);
      watched.waiters.add(waiter);
      if (watched.waiters.size === 1) {
        this.#waitedScopes += 1;
        this.#unproven.add(watched);
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
    const watched = this.#scopes.get(scopeId(waiter.scope));
    watched?.waiters.delete(waiter);
    if (watched?.waiters.size === 0) {
      this.#waitedScopes -= 1;
      this.#unproven.delete(watched);
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
      if (this.#wideWaiters > 0 || this.#waitedScopes > MAX_ASKED_SCOPES) {
        return await this.#lookIntoFeed();
      }
      this.#reader = undefined;
      return await this.#askScopes(this.#waited());
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
    for (const watched of this.#waited()) {
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
      const watched = this.#scopes.get(scopeId(scope));
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

  #waited(): WatchedScope[] {
    return [...this.#scopes.values()].filter(({ waiters }) => waiters.size > 0);
  }

  /** A change that this process wrote, or read of. */
  #note(scope: Scope, change: Change<unknown>): void {
    const watched = this.#scopes.get(scopeId(scope));
    if (watched !== undefined) {
      this.#windowBytes -= watched.window.bytes;
      watched.window.push(change);
      this.#windowBytes += watched.window.bytes;
      this.#shrinkWindows();
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

  #letGoIdleScopes(): void {
    let excess = this.#scopes.size - this.#waitedScopes - MAX_IDLE_SCOPES;
    if (excess <= 0) {
      return;
    }
    for (const [id, watched] of this.#scopes) {
      if (excess > 0 && watched.waiters.size === 0) {
        this.#scopes.delete(id);
        this.#windowBytes -= watched.window.bytes;
        watched.release();
        excess -= 1;
      }
    }
  }

  #shrinkWindows(): void {
    for (const { window } of this.#scopes.values()) {
      if (this.#windowBytes <= MAX_WINDOW_BYTES) {
        return;
      }
      this.#windowBytes -= window.bytes;
      window.shrink();
      this.#windowBytes += window.bytes;
    }
  }
}
