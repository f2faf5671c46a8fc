import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';

/**
 * A value as the index keeps it: its type's rank, and the value of a boolean, number or string (0 for what has no order of its
 * own). Types sort undefined < null < boolean < number < string < array < object (Cosmos DB docs, ORDER BY).
 */
export type IndexedValue = readonly [rank: number, value: boolean | number | string];

export const TYPE_RANK = {
  undefined: 0,
  null: 1,
  boolean: 2,
  number: 3,
  string: 4,
  array: 5,
  object: 6,
} as const;

/** Keeps storage keys below LMDB's limit; longer strings are compared in full after the index was read. */
const MAX_INDEXED_CHARACTERS = 180;

export function typeRank(value: JsonValue | undefined): number {
  if (value === undefined) return TYPE_RANK.undefined;
  if (value === null) return TYPE_RANK.null;
  if (Array.isArray(value)) return TYPE_RANK.array;
  if (typeof value === 'object') return TYPE_RANK.object;
  return TYPE_RANK[typeof value as 'boolean' | 'number' | 'string'];
}

export function indexedValueOf(value: JsonValue | undefined): IndexedValue {
  const rank = typeRank(value);
  if (typeof value === 'string') return [rank, value.slice(0, MAX_INDEXED_CHARACTERS)];
  // -0 is 0 in JSON, and so in what is kept beside the item.
  if (typeof value === 'number') return [rank, value === 0 ? 0 : value];
  return [rank, typeof value === 'boolean' ? value : 0];
}

/** Whether the index keeps only the beginning of a string. */
export function isCut(value: JsonValue): boolean {
  return typeof value === 'string' && value.length > MAX_INDEXED_CHARACTERS;
}

export function valueAtPath(item: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = item;
  for (const name of path) {
    value = isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  }
  return value;
}

export function isSamePath(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index]);
}
