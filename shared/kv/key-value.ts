import { toTimestamp } from '../platform/clock.ts';
import type { Json, StoredRecord } from '../records/index.ts';
import { storeKeyOf } from './key.ts';

/** A key of a store, and what it holds. */
export interface KeyValue {
  readonly key: string;
  /** Any JSON; content that is none in the form that `content.ts` describes. */
  readonly value: Json;
  /** Of the key's newest change. */
  readonly revision: number;
  /** RFC 3339, UTC, as the other times. */
  readonly createdAt: string;
  readonly updatedAt: string;
  /** From when on the key is gone; absent for one that stays. */
  readonly expiresAt?: string;
  /** The session lease that the key lives as long as. */
  readonly lease?: string;
}

export function toKeyValue(store: string, record: StoredRecord<Json>): KeyValue {
  const { key, value, revision, createdAt, updatedAt, expiresAt, lease } = record;
  return {
    key: storeKeyOf(store, key),
    value,
    revision,
    createdAt,
    updatedAt,
    ...(expiresAt !== undefined && { expiresAt: toTimestamp(expiresAt) }),
    ...(lease !== undefined && { lease }),
  };
}
