import type { Attributes, StoredRecord } from './change.ts';

/** What a write does to its key, once it has seen the state. */
export type Decision<Value> =
  | ({ readonly type: 'put'; readonly value: Value } & Attributes)
  /** With `alsoLapsed` it removes what has lapsed already too, which `decide` does not see; nothing where there is no record. */
  | { readonly type: 'delete'; readonly alsoLapsed?: boolean }
  /**
   * Time ran out; with a value the record stays, marked by that value. Without one it also puts down what has lapsed already,
   * which `decide` does not see, and is nothing to write where there is no record.
   */
  | { readonly type: 'expire'; readonly value?: Value }
  /** Nothing to write, for instance because the value stands there already. */
  | { readonly type: 'keep' };

/** Who writes, and under which trace. */
export interface Authorship {
  /** Kept in the change. */
  readonly actor: string;
  /** W3C trace context of the request, kept in the change. */
  readonly traceparent?: string | undefined;
}

export interface Write<Value> extends Authorship {
  readonly key: string;
  /**
   * Decides on the newest state of the key, and refuses by throwing a SkerryError. Must be pure: it runs again when
   * another writer came first, and its refusal is given only after the state that it saw was proven current. A record that
   * has lapsed is none.
   */
  decide(current: StoredRecord<Value> | undefined): Decision<Value>;
}

/** How a write ended. */
export interface Commit<Value> {
  /** False when the decision was to keep what stands. */
  readonly changed: boolean;
  /** Revision of the record's newest change, which is this write's when it changed something; 0 for no record at all. */
  readonly revision: number;
  /** The record as it stands after the write. */
  readonly record: StoredRecord<Value> | undefined;
  /** The record as this write found it. */
  readonly previous: StoredRecord<Value> | undefined;
}

/** What a transaction does. It may carry more, for the one who asked: what was decided comes back with the outcome. */
export interface Decisions<Value> {
  /** In the order of their revisions; each key once, and one that the transaction named or was shown. */
  readonly writes: readonly { readonly key: string; readonly decision: Decision<Value> }[];
}

/** The first records under a prefix, in key order. */
export interface KeyRange {
  /** As `isUnder` has it. */
  readonly prefix: string;
  /** The key behind which the range begins. */
  readonly after?: string | undefined;
  /** Most records that are read; the decision may see more, where others that share its batch wrote them. */
  readonly limit: number;
}

/** Writes of several keys of one scope that happen together or not at all: a transaction. */
export interface WriteSet<Value, Decided extends Decisions<Value> = Decisions<Value>> extends Authorship {
  /** Every key that is looked at or written. */
  readonly keys: readonly string[];
  /** Further keys: those of the first records under a prefix. */
  readonly range?: KeyRange | undefined;
  /** Decides as `Write.decide` does, on the records of those keys that have one; those of the range in its order. */
  decide(current: ReadonlyMap<string, StoredRecord<Value>>): Decided;
}

/** How a transaction ended. */
export interface CommitSet<Value, Decided extends Decisions<Value> = Decisions<Value>> {
  /** What `decide` answered when it saw the state that the transaction was committed on. */
  readonly decided: Decided;
  /** For every key of the transaction; one that was not written counts as kept. */
  readonly commits: ReadonlyMap<string, Commit<Value>>;
  /** Revision of the scope after the transaction: its last change's, or the one whose state it saw where it changed nothing. */
  readonly revision: number;
}
