import type { Operation } from '../../store/transaction.ts';
import type { Difference } from './difference.ts';

/** What Skerry takes in one transaction. */
const MOST_WRITES = 49;
/** What the writes of a transaction may take where Skerry keeps them, with room for what others wrote meanwhile: it has 1.5 MB. */
const MOST_BYTES = 1_300_000;
/** What a write takes beside its values. */
const OVERHEAD_BYTES = 2_000;

/**
 * The transactions that a difference needs: one where it fits, else several, deletions first. Every value fits into one:
 * `decodeFile` has seen to that.
 */
export function planBatches({ deletions, puts }: Difference): readonly (readonly Operation[])[] {
  const writes: { readonly operation: Operation; readonly bytes: number }[] = [
    ...deletions.map(({ key, previous }) => ({ operation: { delete: { key } }, bytes: bytesOf(previous) })),
    ...puts.map(({ key, value, previous }) => ({
      operation: { put: { key, value } },
      // Once in the record and once in the change, which holds the previous value too.
      bytes: 2 * bytesOf(value) + bytesOf(previous),
    })),
  ];
  const batches: Operation[][] = [];
  let taken = 0;
  for (const { operation, bytes } of writes) {
    const batch = batches.at(-1);
    const more = OVERHEAD_BYTES + bytes;
    if (batch === undefined || batch.length === MOST_WRITES || taken + more > MOST_BYTES) {
      batches.push([operation]);
      taken = more;
    } else {
      batch.push(operation);
      taken += more;
    }
  }
  return batches;
}

function bytesOf(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}
