import { TYPE_RANK, typeRank } from '../indexed-value.ts';
import { isJsonObject, type JsonValue } from '../json.ts';

const SURROGATE = /[\ud800-\udfff]/;

/** Order of two values as ORDER BY sees it: by type first, then by value; arrays and objects are not told apart. */
export function compareValues(left: JsonValue | undefined, right: JsonValue | undefined): number {
  const rank = typeRank(left);
  const difference = rank - typeRank(right);
  if (difference !== 0) return difference;
  if (typeof left === 'string' && typeof right === 'string') return compareStrings(left, right);
  if (rank !== TYPE_RANK.number && rank !== TYPE_RANK.boolean) return 0;
  return Number(left) - Number(right);
}

/** By code point, as UTF-8 bytes sort; JavaScript's own order differs beyond U+FFFF. */
export function compareStrings(left: string, right: string): number {
  if (left === right) return 0;
  if (SURROGATE.test(left) || SURROGATE.test(right))
    return Buffer.compare(Buffer.from(left), Buffer.from(right));
  return left < right ? -1 : 1;
}

export function deepEqual(left: JsonValue, right: JsonValue): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => deepEqual(item, right[index] ?? null));
  }
  if (!isJsonObject(left) || !isJsonObject(right)) return false;
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && containsAll(left, right, names);
}

/** Whether `whole` has every property of `part` with an equal value (ARRAY_CONTAINS with its third argument true). */
export function partlyEqual(whole: JsonValue, part: JsonValue): boolean {
  if (!isJsonObject(whole) || !isJsonObject(part)) return deepEqual(whole, part);
  return containsAll(part, whole, Object.keys(part));
}

function containsAll(
  part: Readonly<Record<string, JsonValue>>,
  whole: Readonly<Record<string, JsonValue>>,
  names: readonly string[],
): boolean {
  return names.every((name) => {
    const left = part[name];
    const right = whole[name];
    return left !== undefined && right !== undefined && Object.hasOwn(whole, name) && deepEqual(left, right);
  });
}
