import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';

/**
 * A value as the index keeps it: its type's rank, the value of a boolean, number or string, and 1 when a long string
 * was cut. Types sort undefined < null < boolean < number < string < array < object (Cosmos DB docs, ORDER BY).
 */
export type IndexedValue = readonly [rank: number, value?: boolean | number | string, cut?: 1];

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
export const MAX_INDEXED_CHARACTERS = 180;

export function typeRank(value: JsonValue | undefined): number {
  if (value === undefined) return TYPE_RANK.undefined;
  if (value === null) return TYPE_RANK.null;
  if (Array.isArray(value)) return TYPE_RANK.array;
  if (typeof value === 'object') return TYPE_RANK.object;
  return TYPE_RANK[typeof value as 'boolean' | 'number' | 'string'];
}

export function indexedValueOf(value: JsonValue | undefined): IndexedValue {
  const rank = typeRank(value);
  if (typeof value === 'string' && value.length > MAX_INDEXED_CHARACTERS) {
    return [rank, value.slice(0, MAX_INDEXED_CHARACTERS), 1];
  }
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string')
    return [rank, value];
  return [rank];
}

/** How the value stands in a key of the index; what has no order of its own is told by its rank alone. */
export function entryParts([rank, value]: IndexedValue): [rank: number, value: boolean | number | string] {
  return [rank, value ?? 0];
}

/** The value behind an entry, when the entry says it all; arrays, objects and cut strings need the item's body. */
export function isWholeValue([rank, , cut]: IndexedValue): boolean {
  return cut === undefined && rank < TYPE_RANK.array;
}

export function wholeValueOf([rank, value]: IndexedValue): JsonValue | undefined {
  return rank === TYPE_RANK.null ? null : value;
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
