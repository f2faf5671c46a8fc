import type { Operation } from '../../transaction.ts';
import type { Difference } from './difference.ts';

/** What Skerry takes in one transaction. */
const MOST_WRITES = 49;
/** Stays below the largest body that Skerry takes, 300 KiB. */
const MOST_BYTES = 280_000;

/**
 * The transactions that a difference needs: one where it fits, else several, deletions first. No value is larger than a batch:
 * `decodeFile` has seen to that.
 */
export function planBatches({ deletions, puts }: Difference): readonly (readonly Operation[])[] {
  const operations: Operation[] = [
    ...deletions.map(({ key }) => ({ delete: { key } })),
    ...puts.map(({ key, value }) => ({ put: { key, value } })),
  ];
  const batches: Operation[][] = [];
  let bytes = 0;
  for (const operation of operations) {
    const size = Buffer.byteLength(JSON.stringify(operation)) + 1;
    const batch = batches.at(-1);
    if (batch === undefined || batch.length === MOST_WRITES || bytes + size > MOST_BYTES) {
      batches.push([operation]);
      bytes = size;
    } else {
      batch.push(operation);
      bytes += size;
    }
  }
  return batches;
}
