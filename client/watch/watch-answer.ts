import type { Change } from '../history.ts';
import type { Content } from '../store/content.ts';

export interface WatchedItem<Value extends Content = Content> {
  /** Whole, such as `/kv/agent1/a`. */
  readonly key: string;
  readonly value: Value;
  readonly revision: number;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface WatchedChange<Value extends Content = Content> extends Change<Value> {
  /** Whether the key was not there before. */
  readonly create: boolean;
  /** The log that it stands in, where several are watched. */
  readonly scope?: string;
}

/** Where a watch stands: a revision where it follows one log, else an opaque cursor. */
interface Standing {
  readonly revision?: number;
  readonly cursor?: string;
}

export interface ResyncAnswer extends Standing {
  readonly resync: { readonly items: readonly WatchedItem[]; readonly next?: string };
}

export interface ChangesAnswer extends Standing {
  readonly changes: readonly WatchedChange[];
}

/** One answer of a long poll, or one event of a stream. */
export type WatchAnswer = ResyncAnswer | ChangesAnswer;

/** What a watch asks for, whichever way its answers come. */
export interface WatchRequest {
  /** The end of the path: a key prefix without its first slash, percent-encoded. */
  readonly path: string;
  readonly types: readonly string[] | undefined;
  /** Seconds that an answer may take. */
  readonly wait: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Where to go on after an answer. */
export function positionAfter({ cursor, revision }: Standing): string {
  return cursor ?? String(revision);
}
