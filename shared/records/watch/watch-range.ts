import type { Scope } from '../scope.ts';

/** What is watched. */
export interface WatchRange {
  readonly ns: string;
  /** Of keys, by whole segments, as `isUnder` has it. */
  readonly prefix: string;
  /** The one scope that holds all keys under the prefix; undefined where several may. */
  readonly scope: Scope | undefined;
  /** The kinds that have keys under the prefix. */
  readonly kinds: readonly WatchedKind[];
}

export interface WatchedKind {
  readonly kind: string;
  /** Whether there may be many scopes of the kind, each with a name. */
  readonly isNamed: boolean;
}
