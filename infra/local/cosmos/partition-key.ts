import { badRequest } from './cosmos-error.ts';
import { valueAtPath } from './indexed-value.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { partitionKeyPart } from './storage-key.ts';

const MAX_PARTITION_KEY_BYTES = 2048;

/** One logical partition of a container. */
export interface PartitionKey {
  /** JSON of the value array, as the SDK sends it in the header, but re-stringified: `["a"]`, `[null]`, `[{}]` (undefined). */
  readonly canonical: string;
  /** What stands for it in storage keys; long values are hashed. */
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
    );
  }
  return partitionKeyOf(values[0]);
}

/** The partition key of an item body; a missing value is the undefined partition. */
export function partitionKeyOfItem(path: readonly string[], item: JsonObject): PartitionKey {
  return partitionKeyOf(valueAtPath(item, path));
}

export function partitionKeyOf(value: unknown): PartitionKey {
  const canonical = JSON.stringify([canonicalValue(value)]);
  if (Buffer.byteLength(canonical) > MAX_PARTITION_KEY_BYTES) {
    throw badRequest('Partition key value is larger than 2048 bytes.');
  }
  return { canonical, keyPart: partitionKeyPart(canonical) };
}

function canonicalValue(value: unknown): JsonValue {
  if (value === undefined || (isJsonObject(value) && Object.keys(value).length === 0)) return {};
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return value === 0 ? 0 : value;
  throw badRequest('Partition key value must be a string, a number, a boolean or null.');
}
