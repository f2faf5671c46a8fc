import { CosmosError, SUB_STATUS } from './cosmos-error.ts';
import type { PartitionKey } from './partition-key.ts';

/** A physical partition: it owns the items whose hashed partition key falls in [minInclusive, maxExclusive). */
export interface PartitionRange {
  readonly id: string;
  readonly minInclusive: string;
  readonly maxExclusive: string;
}

const WHOLE_RANGE: PartitionRange = { id: '0', minInclusive: '', maxExclusive: 'FF' };

/** The physical partitions of a container: the one place that decides how many there are. */
export function partitionRanges(): readonly PartitionRange[] {
  return [WHOLE_RANGE];
}

/** The physical partition that owns a partition key. Sequence numbers are counted for each of these. */
export function rangeOf(_partitionKey: PartitionKey): PartitionRange {
  return WHOLE_RANGE;
}

/** @throws CosmosError 410/1002 for an id that is not there (any more): the SDK then refreshes its ranges. */
export function rangeById(id: string): PartitionRange {
  const range = partitionRanges().find((candidate) => candidate.id === id);
  if (range === undefined) {
    throw new CosmosError(410, `Partition key range ${id} is gone.`, SUB_STATUS.partitionKeyRangeGone);
  }
  return range;
}
