import type { Change } from '../change.ts';
import type { FollowedScope, Records } from '../records.ts';
import { type Scope, scopeId } from '../scope.ts';
import { ScopeWindow } from './scope-window.ts';
import type { Waiter } from './waiter.ts';

/** Scopes that are followed on after nobody waits for them, because most watches come back at once. */
const MAX_IDLE_SCOPES = 1_000;
const MAX_WINDOW_BYTES = 64 * 1024 * 1024;

/** What this process has at hand of one scope. */
export interface WatchedScope extends FollowedScope {
  readonly window: ScopeWindow;
  readonly waiters: Set<Waiter>;
}

/** The scopes that somebody in this process waits for, or did lately, in memory that is bounded. */
export class WatchedScopes {
  readonly #records: Pick<Records, 'follow'>;
  /** In order of use, the most recent last. */
  readonly #scopes = new Map<string, WatchedScope>();
  #waitedFor = 0;
  #windowBytes = 0;

  constructor(records: Pick<Records, 'follow'>) {
    this.#records = records;
  }

  /** How many somebody waits for. */
  get waitedFor(): number {
    return this.#waitedFor;
  }

  waited(): WatchedScope[] {
    return [...this.#scopes.values()].filter(({ waiters }) => waiters.size > 0);
  }

  find(scope: Scope): WatchedScope | undefined {
    return this.#scopes.get(scopeId(scope));
  }

  /** Keeps what this process knows of a scope at hand. */
  follow(scope: Scope): WatchedScope {
    const id = scopeId(scope);
    const watched = this.#scopes.get(id) ?? {
      ...this.#records.follow(scope),
      window: new ScopeWindow(),
      waiters: new Set<Waiter>(),
    };
    this.#scopes.delete(id);
    this.#scopes.set(id, watched);
    this.#letGoIdleScopes();
    return watched;
  }

  /** @returns the scope, if nobody waited for it before. */
  join(scope: Scope, waiter: Waiter): WatchedScope | undefined {
    const watched = this.follow(scope);
    watched.waiters.add(waiter);
    if (watched.waiters.size > 1) {
      return undefined;
    }
    this.#waitedFor += 1;
    return watched;
  }

  /** @returns the scope, if nobody waits for it any more. */
  leave(scope: Scope, waiter: Waiter): WatchedScope | undefined {
    const watched = this.find(scope);
    watched?.waiters.delete(waiter);
    if (watched?.waiters.size !== 0) {
      return undefined;
    }
    this.#waitedFor -= 1;
    return watched;
  }

  /** Remembers the newest change of a scope. */
  push({ window }: WatchedScope, change: Change<unknown>): void {
    this.#windowBytes -= window.bytes;
    window.push(change);
    this.#windowBytes += window.bytes;
    this.#shrinkWindows();
  }

  #letGoIdleScopes(): void {
    let excess = this.#scopes.size - this.#waitedFor - MAX_IDLE_SCOPES;
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
