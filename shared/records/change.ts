/** What can be stored as a record's value. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json | undefined };

/** What ends a record by itself; at most one of the two. */
export interface Life {
  /** Milliseconds since the Unix epoch: from then on the record counts as gone, whether or not that is written down yet. */
  readonly expiresAt?: number;
  /** Id of the session lease of the scope that the record lives as long as. */
  readonly lease?: string;
}

/** What a record carries beside its value. */
export interface Attributes extends Life {
  /**
   * By which the record stands among those of its namespace and kind, of all scopes (`Records.listed`): a short text that no
   * other of them has at the time. A put without it takes the record out of that listing.
   */
  readonly listed?: string;
}

/** One named value of a scope, as it stands after its newest change. */
export interface StoredRecord<Value> extends Attributes {
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
export interface Change<Value> extends Attributes {
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
  /** Names the write across retries: it stands in at most one change, or in all changes of one transaction. */
  readonly writeId: string;
  /** First and last revision of the transaction that the change is part of; absent where it is alone. */
  readonly transaction?: Transaction;
}

export interface Transaction {
  readonly first: number;
  readonly last: number;
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
    ...attributesOf(change),
  };
}

/** The attributes that a record or a change carries, and nothing else of it. */
export function attributesOf({ expiresAt, lease, listed }: Attributes): Attributes {
  return {
    ...(expiresAt !== undefined && { expiresAt }),
    ...(lease !== undefined && { lease }),
    ...(listed !== undefined && { listed }),
  };
}
