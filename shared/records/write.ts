import type { Life, StoredRecord } from './change.ts';

/** What a write does to its key, once it has seen the state. */
export type Decision<Value> =
  | ({ readonly type: 'put'; readonly value: Value } & Life)
  | { readonly type: 'delete' }
  /** Time ran out; with a value the record stays, marked by that value. */
  | { readonly type: 'expire'; readonly value?: Value }
  /** Nothing to write, for instance because the value stands there already. */
  | { readonly type: 'keep' };

export interface Write<Value> {
  readonly key: string;
  /** Who writes; kept in the change. */
  readonly actor: string;
  /** W3C trace context of the request, kept in the change. */
  readonly traceparent?: string | undefined;
  /**
   * Decides on the newest state of the key, and refuses by throwing a SkerryError. Must be pure: it runs again when
   * another writer came first, and its refusal is given only after the state that it saw was proven current.
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
