import { invalid } from '../platform/errors.ts';
import { jsonEquals } from '../platform/json-equals.ts';
import type { Decision, Json, Life, StoredRecord } from '../records/index.ts';

/** What is put under a key. */
export interface KeyInput {
  readonly value: Json;
  /** Whole seconds after which the key is gone; without it the key stays. */
  readonly ttl?: number | undefined;
  /** The session lease that the key is to live as long as, instead. */
  readonly lease?: string | undefined;
}

/** @throws SkerryError `invalid` for a key that is to end by both. */
export function checkLife({ ttl, lease }: Omit<KeyInput, 'value'>, field: string): void {
  if (ttl !== undefined && lease !== undefined) {
    throw invalid('A key lives for a time of its own or as long as a lease, not both.', {
      field,
      fix: 'Leave "ttl" or "lease" out.',
    });
  }
}

/** Putting what a key holds already changes nothing, unless it is to live for a time, which begins anew. */
export function decidePut(
  { value, ttl, lease }: KeyInput,
  current: StoredRecord<Json> | undefined,
  now: number,
): Decision<Json> {
  const life: Life = {
    ...(ttl !== undefined && { expiresAt: now + 1000 * ttl }),
    ...(lease !== undefined && { lease }),
  };
  const isUnchanged =
    current !== undefined &&
    ttl === undefined &&
    current.expiresAt === undefined &&
    current.lease === life.lease &&
    jsonEquals(current.value, value);
  return isUnchanged ? { type: 'keep' } : { type: 'put', value, ...life };
}
