import type { Scope } from '../scope.ts';
import type { ChangeFilter } from './change-filter.ts';
import type { Place } from './watch-places.ts';

export interface WaiterRequest extends ChangeFilter {
  readonly ns: string;
  /** The one scope that holds all keys under the prefix; undefined where several may. */
  readonly scope: Scope | undefined;
}

/** Why a wait ended: something may have changed, the time is over, or nobody waits any more. */
export type Wake = 'changed' | 'late' | 'closed';

/** One watch that is held open. It is told that something changed, never what: it reads that itself, from where it stands. */
export class Waiter implements WaiterRequest {
  readonly ns: string;
  readonly prefix: string;
  readonly types: WaiterRequest['types'];
  readonly scope: Scope | undefined;
  #isTold = false;
  #isClosed = false;
  #deadline = Number.POSITIVE_INFINITY;
  #resolve: ((wake: Wake) => void) | undefined;

  /** Its own, if it has one. */
  readonly place: Place | undefined;

  constructor({ ns, prefix, types, scope }: WaiterRequest, place: Place | undefined) {
    this.place = place;
    this.ns = ns;
    this.prefix = prefix;
    this.types = types;
    this.scope = scope;
  }

  /** When the present wait ends, in milliseconds since the Unix epoch; infinite while nobody waits. */
  get deadline(): number {
    return this.#deadline;
  }

  /** Resolves at once if something changed since the last wait began. */
  async next(deadline: number): Promise<Wake> {
    if (this.#isClosed) {
      return 'closed';
    }
    if (this.#isTold) {
      this.#isTold = false;
      return 'changed';
    }
    this.#deadline = deadline;
    return await new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  tell(): void {
    this.#isTold = this.#resolve === undefined;
    this.#end('changed');
  }

  /** Ends a wait whose time is over. */
  expire(now: number): void {
    if (this.#deadline <= now) {
      this.#end('late');
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#end('closed');
  }

  #end(wake: Wake): void {
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#resolve?.(wake);
    this.#resolve = undefined;
  }
}
