import type { Clock } from '../../platform/clock.ts';
import { invalid } from '../../platform/errors.ts';
import type { Scope } from '../scope.ts';
import type { Follower, WatchAnswer } from './follower.ts';
import { readScopeChanges, type WantedChanges } from './scope-changes.ts';
import type { Waiter } from './waiter.ts';
import type { WatchHub } from './watch-hub.ts';
import type { Place } from './watch-places.ts';
import type { WatchedScope } from './watched-scopes.ts';

export interface ScopeFollowerOptions {
  readonly hub: WatchHub;
  readonly clock: Clock;
  readonly scope: Scope;
  readonly wanted: WantedChanges;
  /** One that is taken already; or who takes one for each wait. */
  readonly place: Place | string | undefined;
  /** The revision to go on from. */
  readonly since: number;
}

/** Follows one scope by its revisions. */
export class ScopeFollower implements Follower {
  readonly #options: ScopeFollowerOptions;
  #since: number;
  #waiter: Waiter | undefined;

  constructor(options: ScopeFollowerOptions) {
    this.#options = options;
    this.#since = options.since;
  }

  async next(deadline: number): Promise<WatchAnswer> {
    const { hub, clock, scope, wanted } = this.#options;
    await this.#proveIfNeeded(hub.follow(scope), deadline);
    let readTo: number | undefined;
    for (;;) {
      // Asked for anew, because the hub lets go of what nobody waits for.
      const watched = hub.follow(scope);
      const position = watched.state.position ?? 0;
      if (this.#since < position && readTo !== position) {
        readTo = position;
        const { changes, revision } = await readScopeChanges(scope, watched, this.#since, wanted);
        this.#since = revision;
        if (changes.length > 0) {
          return { changes, cursor: String(revision) };
        }
      } else if (clock.now() >= deadline || (await this.#wait(deadline)) === 'closed') {
        return { changes: [], cursor: String(this.#since) };
      }
    }
  }

  close(): void {
    if (this.#waiter !== undefined) {
      this.#options.hub.leave(this.#waiter);
    }
  }

  async #wait(deadline: number) {
    const { hub, scope, wanted, place } = this.#options;
    const { prefix, types } = wanted;
    this.#waiter ??= hub.join({ ns: scope.ns, prefix, types, scope }, place);
    return await hub.wait(this.#waiter, deadline);
  }

  /** Who waits is told by the loop whatever is newer; who does not wait, or is ahead, has the newest revision proven. */
  async #proveIfNeeded({ state }: WatchedScope, deadline: number): Promise<void> {
    const isBehind = state.position === undefined || this.#since > state.position;
    if (isBehind || this.#options.clock.now() >= deadline) {
      await state.prove();
    }
    const position = state.position ?? 0;
    if (this.#since > position) {
      throw invalid(`Revision ${this.#since} is not reached yet; the newest is ${position}.`, {
        field: 'since',
        fix: 'Go on from the revision of the answer before, or leave it out and begin with a resync.',
      });
    }
  }
}
