/** What can be stored as a record's value. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json | undefined };

/** One named value of a scope, as it stands after its newest change. */
export interface StoredRecord<Value> {
  readonly key: string;
  readonly value: Value;
  /** Revision of the record's newest change. */
  readonly revision: number;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

export type ChangeType = 'put' | 'delete' | 'expire';

/** What one write did. Changes are immutable, and their revisions number the writes of a scope without gaps. */
export interface Change<Value> {
  readonly revision: number;
  readonly key: string;
  readonly type: ChangeType;
  /** The record's value from this change on; absent when the change removed it. */
  readonly value?: Value;
  /** The record as it stood before; absent when the change created it. */
  readonly previous?: StoredRecord<Value>;
  readonly actor: string;
  /** RFC 3339, UTC. */
  readonly at: string;
  /** W3C trace context of the request that wrote. */
  readonly traceparent?: string;
  /** Names the write across retries: it stands in at most one change. */
  readonly writeId: string;
}

/** The record that a change leaves behind; undefined when the change removed it. */
export function recordAfter<Value>(change: Change<Value>): StoredRecord<Value> | undefined {
  if (change.value === undefined) {
    return undefined;
  }
  return {
    key: change.key,
    value: change.value,
    revision: change.revision,
    createdAt: change.previous?.createdAt ?? change.at,
    updatedAt: change.at,
  };
}
