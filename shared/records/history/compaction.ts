import type { Container } from '@azure/cosmos';
import { type Clock, toTimestamp } from '../../platform/clock.ts';
import { unprocessable } from '../../platform/errors.ts';
import { LogStorage } from '../log/log-storage.ts';
import { type Scope, scopeId } from '../scope.ts';
import { CompactionStorage, findCompactable, type RemovableChange } from './compaction-storage.ts';
import { type Head, REMOVAL_DELAY_MILLISECONDS } from './head.ts';
import { NOTHING_WRITTEN } from './history.ts';

/*
 * Compaction cuts off the oldest changes of a scope in two steps, and may die between any two of its calls:
 *
 * 1. The head document is raised: from now on nobody is told of changes up to `compactedTo`, and what needs them is 410. Whoever
 *    reads history reads first and then looks at the head, so what it tells was complete when it was read.
 * 2. The documents are removed, the oldest first, so that what is left is always the end of the log without a gap. A change
 *    stays for an hour after it was written (head.ts, `REMOVAL_DELAY_MILLISECONDS`), and the newest change stays for ever: it is
 *    what tells the scope's revision. The tombstone that a change left goes just before the change itself, by If-Match.
 *
 * While something may be left of step 2 the head says so in a field that is indexed, by which the next run finds it. Any number
 * of compactions may run at once: the head only rises, and a batch of removals that meets another one's is none at all.
 */

/** What is kept of a scope: the newest changes, and all of the last days. */
export interface RetentionPolicy {
  readonly minChanges: number;
  readonly minDays: number;
}

export const MILLISECONDS_PER_DAY = 86_400_000;

/** Changes that one query looks through, and one step cuts off. */
const CHANGES_AT_ONCE = 10_000;
/** Changes that one batch removes: some 300 request units. */
const REMOVED_AT_ONCE = 50;
/** Request units a second that removing may take from those who wait for answers. */
const UNITS_PER_SECOND = 1_000;

export interface CompactionOptions {
  /** The Cosmos container `records`. */
  readonly container: Container;
  readonly clock: Clock;
}

/** Cuts off the history of scopes. All methods throw SkerryError `unavailable`, and may be repeated then. */
export class Compaction {
  readonly #container: Container;
  readonly #clock: Clock;

  constructor({ container, clock }: CompactionOptions) {
    this.#container = container;
    this.#clock = clock;
  }

  /**
   * Cuts off the changes up to a revision, though never the newest one or a part of a transaction. Removing them is left to `remove`.
   *
   * @returns what is cut off now, which may be more.
   * @throws SkerryError `unprocessable` when the scope has not reached the revision.
   */
  async cutOff(scope: Scope, revision: number): Promise<Head> {
    const position = await new LogStorage(this.#container, scope).readPosition();
    if (revision > position) {
      throw unprocessable(`Revision ${revision} is not reached yet; the newest is ${position}.`, {
        field: 'revision',
        fix: position === 0 ? NOTHING_WRITTEN : `Send a revision up to ${position}.`,
      });
    }
    return await this.#raise(scope, Math.min(revision, position - 1));
  }

  /**
   * Cuts off and removes what a policy does not keep.
   *
   * @param deadline when to stop, in milliseconds since the Unix epoch; the next call goes on.
   * @returns how many changes were removed.
   */
  async enforce(scope: Scope, { minChanges, minDays }: RetentionPolicy, deadline: number): Promise<number> {
    const storage = new CompactionStorage(this.#container, scope);
    const horizon = toTimestamp(this.#clock.now() - minDays * MILLISECONDS_PER_DAY);
    const position = await new LogStorage(this.#container, scope).readPosition();
    const limit = position - Math.max(minChanges, 1);
    const { head, mustRemove } = await storage.readHead();
    let { compactedTo } = head;
    let removed = mustRemove ? await this.remove(scope, deadline) : 0;
    while (compactedTo < limit && this.#clock.now() < deadline) {
      const upTo = Math.min(limit, compactedTo + CHANGES_AT_ONCE);
      const firstKept = (await storage.readFirstSince(horizon, compactedTo, upTo)) ?? upTo + 1;
      if (firstKept === compactedTo + 1) {
        break;
      }
      const raised = await this.#raise(scope, firstKept - 1);
      removed += await this.remove(scope, deadline);
      if (raised.compactedTo <= compactedTo) {
        break;
      }
      ({ compactedTo } = raised);
    }
    return removed;
  }

  /**
   * Removes what is cut off, as far as it is old enough.
   *
   * @param deadline when to stop, in milliseconds since the Unix epoch; the next call goes on.
   * @returns how many changes were removed.
   */
  async remove(scope: Scope, deadline: number): Promise<number> {
    const storage = new CompactionStorage(this.#container, scope);
    const stored = await storage.readHead();
    let removed = 0;
    while (stored.mustRemove && this.#clock.now() < deadline) {
      const oldest = await storage.readOldest(stored.head.compactedTo, REMOVED_AT_ONCE);
      if (oldest.length === 0) {
        await storage.writeHead(stored, stored.head, false);
        break;
      }
      const tooYoung = oldest.findIndex((change) => !this.#isOldEnough(change));
      const removable = tooYoung === -1 ? oldest : oldest.slice(0, tooYoung);
      if (removable.length === 0) {
        break;
      }
      removed += await this.#removeBatch(storage, removable, stored.head);
    }
    return removed;
  }

  /** Scopes that `enforce` may find something in, by a policy that keeps at least so many days; in no particular order. */
  async findCompactable(minDays: number): Promise<Scope[]> {
    const horizon = toTimestamp(this.#clock.now() - minDays * MILLISECONDS_PER_DAY);
    return await findCompactable(this.#container, horizon);
  }

  async #raise(scope: Scope, revision: number): Promise<Head> {
    const storage = new CompactionStorage(this.#container, scope);
    const log = new LogStorage(this.#container, scope);
    let compactedTo = revision;
    for (;;) {
      const change = await log.readChange(compactedTo);
      const stored = await storage.readHead();
      const { head } = stored;
      if (head.compactedTo >= compactedTo) {
        return head;
      }
      if (change === undefined) {
        throw new Error(`The log of ${scopeId(scope)} lacks change ${compactedTo}.`);
      }
      if (change.transaction !== undefined && change.transaction.last > compactedTo) {
        compactedTo = change.transaction.first - 1;
        continue;
      }
      const compactedUntil = change.at > head.compactedUntil ? change.at : head.compactedUntil;
      const raised = { compactedTo, compactedUntil };
      if (await storage.writeHead(stored, raised, true)) {
        return raised;
      }
    }
  }

  async #removeBatch(
    storage: CompactionStorage,
    changes: readonly RemovableChange[],
    { compactedTo }: Head,
  ): Promise<number> {
    const endedKeys = new Set(changes.filter(({ endsRecord }) => endsRecord).map(({ key }) => key));
    await Promise.all([...endedKeys].map((key) => storage.removeTombstone(key, compactedTo)));
    const units = await storage.removeChanges(changes.map(({ revision }) => revision));
    if (units !== undefined) {
      await this.#clock.sleep((1000 * units) / UNITS_PER_SECOND);
    }
    return units === undefined ? 0 : changes.length;
  }

  /** By both clocks, so that one that is wrong takes nothing too early. */
  #isOldEnough({ at, storedAt }: RemovableChange): boolean {
    const newest = Math.max(Date.parse(at), 1000 * storedAt);
    return newest < this.#clock.now() - REMOVAL_DELAY_MILLISECONDS;
  }
}
