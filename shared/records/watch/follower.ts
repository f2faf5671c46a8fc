import type { FoundChange } from './change-feed.ts';

export interface WatchAnswer {
  readonly changes: readonly FoundChange[];
  /** Where to go on: all that is wanted before is in this answer or in one before. A revision where one scope is watched. */
  readonly cursor: string;
}

/** Somebody who watches, from one answer to the next. */
export interface Follower {
  /**
   * The wanted changes behind the answer before: as soon as there are some, else none at the deadline, in milliseconds since the
   * Unix epoch, or when the process ends.
   *
   * @throws SkerryError `compacted`, `too-many-requests`; `invalid` for a position that does not exist yet.
   */
  next(deadline: number): Promise<WatchAnswer>;
  /** To be called once nobody waits any more. */
  close(): void;
}
