import type { Change, ChangeType, StoredRecord } from '../../../../shared/records/change.ts';

/** A change as it was delivered. */
export interface Delivered {
  readonly scope: string;
  readonly ns: string;
  readonly change: Change<unknown>;
}

/** One answer that the watcher took to heart; what it lost or threw away is not in its report. */
export interface DeliveredAnswer {
  readonly changes: readonly Delivered[];
  /** Where one scope is watched. */
  readonly revision?: number;
  /** Whether all that was written until it was asked for is known to have been delivered with it or before. */
  readonly isComplete?: boolean;
}

/** What one watcher saw, from its resync or its first revision to the end of the history. */
export interface WatchReport {
  readonly ns: string;
  readonly prefix: string;
  readonly types: readonly ChangeType[] | undefined;
  /** Where one scope is watched from a revision on. */
  readonly since?: number;
  /** What the resync held; absent where it began without one. */
  readonly resync?: readonly StoredRecord<unknown>[];
  /** The revision of the resync, where one scope is watched. */
  readonly resyncRevision?: number;
  readonly answers: readonly DeliveredAnswer[];
}

/** All changes of a namespace by the id of their scope, as they stand in storage. */
export type History = ReadonlyMap<string, readonly Change<unknown>[]>;
