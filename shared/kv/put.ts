import { jsonEquals } from '../platform/json-equals.ts';
import type { Decision, Json, Life, StoredRecord } from '../records/index.ts';

/** What is put under a key. */
export interface KeyInput {
  readonly value: Json;
  /** Whole seconds after which the key is gone; without it the key stays. */
  readonly ttl?: number | undefined;
}

/** Putting what a key holds already changes nothing, unless it is to live for a time, which begins anew. */
export function decidePut(
  { value, ttl }: KeyInput,
  current: StoredRecord<Json> | undefined,
  now: number,
): Decision<Json> {
  const life: Life = ttl === undefined ? {} : { expiresAt: now + 1000 * ttl };
  const isUnchanged =
    current !== undefined &&
    ttl === undefined &&
    current.expiresAt === undefined &&
    current.lease === life.lease &&
    jsonEquals(current.value, value);
  return isUnchanged ? { type: 'keep' } : { type: 'put', value, ...life };
}
