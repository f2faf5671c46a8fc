import type { Clock } from '../../platform/clock.ts';
import { AnswerChanges } from './answer-changes.ts';
import type { ChangeFeed, FoundChange } from './change-feed.ts';
import { matches } from './change-filter.ts';
import type { CompactionCheck } from './compaction-check.ts';
import type { FeedPoint } from './feed-window.ts';
import type { Follower, WatchAnswer } from './follower.ts';
import type { WantedChanges } from './scope-changes.ts';
import type { Waiter } from './waiter.ts';
import type { WatchHub } from './watch-hub.ts';
import type { Place } from './watch-places.ts';
import type { WatchRange } from './watch-range.ts';
import { type WideCursor, writeWideCursor } from './wide-cursor.ts';

/** Pages of the feed that one answer is made from; it may then say no more than where to go on. */
const MAX_PAGES = 20;

export interface WideFollowerOptions {
  readonly hub: WatchHub;
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  readonly compaction: CompactionCheck;
  readonly isVisible: (found: FoundChange) => boolean;
  readonly range: WatchRange;
  readonly wanted: WantedChanges;
  /** One that is taken already; or who takes one for each wait. */
  readonly place: Place | string | undefined;
  readonly cursor: WideCursor;
}

/** What a reading came to. */
interface Reading {
  readonly changes: readonly FoundChange[];
  /** Whether there may be more at once. */
  readonly isCut: boolean;
}

/**
 * Follows several scopes by the feed of the container. The loop of the process only wakes it: it reads from its own cursor, from
 * memory where the loop has read the same, so that nothing depends on the two being in step.
 */
export class WideFollower implements Follower {
  readonly #options: WideFollowerOptions;
  #point: FeedPoint;
  #waiter: Waiter | undefined;

  constructor(options: WideFollowerOptions) {
    this.#options = options;
    this.#point = options.cursor;
  }

  async next(deadline: number): Promise<WatchAnswer> {
    const { clock } = this.#options;
    for (;;) {
      // Who waits is in the hub before it reads, so that nothing passes in between.
      const waiter = clock.now() < deadline ? this.#join() : undefined;
      const { changes, isCut } = await (waiter === undefined ? this.#readFeed() : this.#read());
      if (changes.length > 0 || isCut || waiter === undefined || clock.now() >= deadline) {
        return this.#answer(changes);
      }
      if ((await this.#options.hub.wait(waiter, deadline)) === 'closed') {
        return this.#answer([]);
      }
    }
  }

  close(): void {
    if (this.#waiter !== undefined) {
      this.#options.hub.leave(this.#waiter);
    }
  }

  #join(): Waiter {
    const { hub, range, wanted, place } = this.#options;
    this.#waiter ??= hub.join({ ns: range.ns, ...wanted, scope: undefined }, place);
    return this.#waiter;
  }

  #answer(changes: readonly FoundChange[]): WatchAnswer {
    return { changes, cursor: writeWideCursor(this.#point) };
  }

  async #read(): Promise<Reading> {
    const steps = this.#options.hub.window.after(this.#point.position);
    return steps === undefined ? await this.#readFeed() : this.#readWindow(steps);
  }

  #readWindow(steps: readonly (FeedPoint & { readonly changes: readonly FoundChange[] })[]): Reading {
    const answer = new AnswerChanges(this.#options.wanted.limit);
    for (const { changes, position, completeSince } of steps) {
      const isFull = !this.#takeWanted(answer, changes);
      this.#point = { position, completeSince };
      if (isFull) {
        return { changes: answer.all, isCut: true };
      }
    }
    // Reading an empty feed moves its position too.
    this.#point = this.#options.hub.window.head ?? this.#point;
    return { changes: answer.all, isCut: false };
  }

  async #readFeed(): Promise<Reading> {
    const { feed, compaction, range, wanted } = this.#options;
    const start = this.#point;
    const answer = new AnswerChanges(wanted.limit);
    let isCut = true;
    for (let pages = 0; pages < MAX_PAGES && isCut; pages += 1) {
      const { changes, position, isDrained, askedAt } = await feed.readBehind(this.#point.position);
      const isFull = !this.#takeWanted(answer, changes);
      this.#point = { position, completeSince: isDrained ? askedAt : start.completeSince };
      isCut = !isDrained;
      if (isFull) {
        break;
      }
    }
    await compaction.check(range, start.completeSince);
    return { changes: answer.all, isCut };
  }

  /** Takes all that is wanted of a page, which can not be cut; false when the answer is full with it. */
  #takeWanted(answer: AnswerChanges, changes: readonly FoundChange[]): boolean {
    const { range, wanted, isVisible } = this.#options;
    for (const found of changes) {
      if (found.scope.ns === range.ns && isVisible(found) && matches(wanted, found.change)) {
        answer.add(found);
      }
    }
    return answer.hasRoom;
  }
}
