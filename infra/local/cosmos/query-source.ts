import type { ContainerEntry } from './catalog.ts';
import { entryParts, indexedValueOf, isWholeValue, TYPE_RANK } from './indexed-value.ts';
import type { JsonValue } from './json.ts';
import type { EpkRange } from './partition-ranges.ts';
import type { PathConstraint } from './sql/constraints.ts';
import { AFTER_ALL, type ItemHead, type KeyPart, type Store } from './store.ts';

/** Where an item is and what is known of it before its body is read. */
export interface Located {
  readonly partitionKey: string;
  readonly id: string;
  readonly head: ItemHead;
}

type Snapshot = ReturnType<Store['snapshot']>;

export interface KeyBounds {
  readonly start: KeyPart[];
  readonly end: KeyPart[];
}

/** The items of the partitions in `keys`, or of one partition, by partition key and id. */
export function* scanItems(
  store: Store,
  container: ContainerEntry,
  keys: EpkRange | string,
  after: Pick<Located, 'partitionKey' | 'id'> | undefined,
  transaction: Snapshot,
): Generator<Located> {
  const { number } = container;
  const bounds =
    typeof keys === 'string'
      ? { start: [number, keys], end: [number, keys, AFTER_ALL] }
      : { start: [number, keys.minInclusive], end: [number, keys.maxExclusive] };
  const start = after === undefined ? bounds.start : [number, after.partitionKey, after.id, AFTER_ALL];
  for (const { key, value } of store.heads.getRange({ ...bounds, start, transaction })) {
    yield { partitionKey: String(key[1]), id: String(key[2]), head: value };
  }
}

/** The partitions in `keys` that have items, by one seek each. */
export function* partitionKeys(
  store: Store,
  { number }: ContainerEntry,
  keys: EpkRange,
  transaction: Snapshot,
): Generator<string> {
  const end = [number, keys.maxExclusive];
  let start: KeyPart[] = [number, keys.minInclusive];
  for (;;) {
    const [key] = [...store.heads.getKeys({ start, end, limit: 1, transaction })];
    if (key === undefined) return;
    const partitionKey = String(key[1]);
    yield partitionKey;
    start = [number, partitionKey, AFTER_ALL];
  }
}

/** The items of one partition whose index entries fall in `bounds`, in the order of the index. */
export function* scanIndex(
  store: Store,
  container: ContainerEntry,
  partitionKey: string,
  bounds: KeyBounds,
  descending: boolean,
  transaction: Snapshot,
): Generator<Located> {
  const range = descending
    ? { start: bounds.end, end: bounds.start, reverse: true, transaction }
    : { ...bounds, transaction };
  for (const key of store.index.getKeys(range)) {
    const id = String(key[5]);
    const head = store.heads.get([container.number, partitionKey, id], { transaction });
    if (head !== undefined) yield { partitionKey, id, head };
  }
}

/**
 * The part of an index where a constraint can be met; without one, the whole index of the partition. Strings that the
 * index holds cut are bounded loosely: the filter decides.
 */
export function indexBounds(
  container: ContainerEntry,
  pathNumber: number,
  partitionKey: string,
  constraint: PathConstraint | undefined,
): KeyBounds {
  const prefix = [container.number, pathNumber, partitionKey];
  if (constraint?.equals !== undefined) {
    const key = [...prefix, ...keyParts(constraint.equals)];
    return { start: key, end: [...key, AFTER_ALL] };
  }
  const { lower, upper } = constraint ?? {};
  const sample = lower ?? upper;
  if (sample === undefined) return { start: prefix, end: [...prefix, AFTER_ALL] };
  const rank = [...prefix, indexedValueOf(sample.value)[0]];
  const start = lower === undefined ? rank : [...prefix, ...keyParts(lower.value)];
  if (lower !== undefined && !lower.inclusive && isExact(lower.value)) start.push(AFTER_ALL);
  const end = upper === undefined ? [...rank, AFTER_ALL] : [...prefix, ...keyParts(upper.value)];
  if (upper !== undefined && (upper.inclusive || !isExact(upper.value))) end.push(AFTER_ALL);
  return { start, end };
}

/** Container, path and partition key: what all entries of one index of a partition begin with. */
export function indexPrefix({ start }: KeyBounds): KeyPart[] {
  return start.slice(0, 3);
}

/** Only scalars can be sought; equality of arrays and objects is left to the filter. */
export function isSeekable(constraint: PathConstraint): boolean {
  const values = [constraint.equals, constraint.lower?.value, constraint.upper?.value];
  return values.every((value) => value === undefined || indexedValueOf(value)[0] < TYPE_RANK.array);
}

function keyParts(value: JsonValue): KeyPart[] {
  return entryParts(indexedValueOf(value));
}

function isExact(value: JsonValue): boolean {
  return isWholeValue(indexedValueOf(value));
}
