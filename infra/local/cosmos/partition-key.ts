import { badRequest, SUB_STATUS } from './cosmos-error.ts';
import { effectivePartitionKey } from './effective-partition-key.ts';
import { valueAtPath } from './indexed-value.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { partitionKeyPart } from './storage-key.ts';

const MAX_PARTITION_KEY_BYTES = 2048;
const EFFECTIVE_KEY_CHARACTERS = 32;
const CACHED_KEYS = 10_000;
/** By `canonical`: hashing a key costs as much as the rest of a point read. */
const cache = new Map<string, PartitionKey>();

/** One logical partition of a container. */
export interface PartitionKey {
  /** JSON of the value array, as the SDK sends it in the header, but re-stringified: `["a"]`, `[null]`, `[{}]` (undefined). */
  readonly canonical: string;
  /**
   * What stands for it in storage keys: the effective partition key, so that each physical partition owns one stretch of the
   * storage, then the value; long values are hashed.
   */
  readonly keyPart: string;
}

/** Parses the x-ms-documentdb-partitionkey header. */
export function partitionKeyFromHeader(header: string): PartitionKey {
  let values: unknown;
  try {
    values = JSON.parse(header);
  } catch {
    throw badRequest(`Partition key ${header} is invalid.`);
  }
  if (!Array.isArray(values) || values.length !== 1) {
    throw badRequest(
      `Partition key provided either doesn't correspond to definition in the collection: ${header}`,
      SUB_STATUS.partitionKeyMismatch,
    );
  }
  return partitionKeyOf(values[0]);
}

/** The partition key of an item body; a missing value is the undefined partition. */
export function partitionKeyOfItem(path: readonly string[], item: JsonObject): PartitionKey {
  return partitionKeyOf(valueAtPath(item, path));
}

export function partitionKeyOf(given: unknown): PartitionKey {
  const value = canonicalValue(given);
  const canonical = JSON.stringify([value]);
  const known = cache.get(canonical);
  if (known !== undefined) return known;
  if (typeof value === 'string' && Buffer.byteLength(value) > MAX_PARTITION_KEY_BYTES) {
    throw badRequest('Partition key value is larger than 2048 bytes.');
  }
  const keyPart = effectivePartitionKey(value) + partitionKeyPart(canonical);
  const partitionKey = { canonical, keyPart };
  if (cache.size >= CACHED_KEYS) cache.clear();
  cache.set(canonical, partitionKey);
  return partitionKey;
}

export function effectiveKeyOf({ keyPart }: PartitionKey): string {
  return keyPart.slice(0, EFFECTIVE_KEY_CHARACTERS);
}

function canonicalValue(value: unknown): JsonValue {
  if (value === undefined || (isJsonObject(value) && Object.keys(value).length === 0)) return {};
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return value === 0 ? 0 : value;
  throw badRequest('Partition key value must be a string, a number, a boolean or null.');
}
