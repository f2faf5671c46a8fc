import { CosmosError, SUB_STATUS } from './cosmos-error.ts';

/** A stretch of the effective partition keys (EPK), as hexadecimal texts that compare as texts. */
export interface EpkRange {
  readonly minInclusive: string;
  readonly maxExclusive: string;
}

/** A physical partition: it owns the items whose effective partition key falls in its stretch, and counts their changes. */
export interface PartitionRange extends EpkRange {
  readonly id: string;
}

export const ALL_KEYS: EpkRange = { minInclusive: '', maxExclusive: 'FF' };
export const MAX_PARTITIONS = 100;
/** Hashes of version 2 have 126 bits. */
const KEY_SPACE = 1n << 126n;

/** Divides the space of keys among `count` physical partitions, as evenly as the service does for a new container. */
export function partitionRanges(count: number): PartitionRange[] {
  const bound = (number: number) =>
    ((KEY_SPACE * BigInt(number)) / BigInt(count) - 1n).toString(16).toUpperCase().padStart(32, '0');
  return Array.from({ length: count }, (_, number) => ({
    id: String(number),
    minInclusive: number === 0 ? ALL_KEYS.minInclusive : bound(number),
    maxExclusive: number === count - 1 ? ALL_KEYS.maxExclusive : bound(number + 1),
  }));
}

/** @param place an effective partition key, or what begins with one: the storage key part of a partition */
export function isWithin({ minInclusive, maxExclusive }: EpkRange, place: string): boolean {
  return place >= minInclusive && place < maxExclusive;
}

/** The physical partition that owns a place; see `isWithin`. */
export function rangeOf(ranges: readonly PartitionRange[], place: string): PartitionRange {
  const range = ranges.find((candidate) => isWithin(candidate, place));
  if (range === undefined) throw new Error(`No physical partition owns ${place}.`);
  return range;
}

/**
 * The physical partition that a client named.
 * @param keys the part of it that the client wants, if it said so
 * @throws CosmosError 410/1002 for what is not there (any more): the SDK then refreshes its ranges
 */
export function rangeById(
  ranges: readonly PartitionRange[],
  id: string,
  keys: EpkRange | undefined,
): PartitionRange {
  const range = ranges.find((candidate) => candidate.id === id);
  const { minInclusive, maxExclusive } = keys ?? range ?? ALL_KEYS;
  const isThere =
    range !== undefined &&
    minInclusive < maxExclusive &&
    minInclusive >= range.minInclusive &&
    maxExclusive <= range.maxExclusive;
  if (isThere) return range;
  throw new CosmosError(410, `Partition key range ${id} is gone.`, SUB_STATUS.partitionKeyRangeGone);
}

export function intersection(one: EpkRange, other: EpkRange): EpkRange {
  return {
    minInclusive: one.minInclusive > other.minInclusive ? one.minInclusive : other.minInclusive,
    maxExclusive: one.maxExclusive < other.maxExclusive ? one.maxExclusive : other.maxExclusive,
  };
}
