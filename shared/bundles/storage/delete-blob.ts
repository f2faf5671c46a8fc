import type { BlobClient } from '@azure/storage-blob';
import { askBlob, BLOB_STATUS, blobCodeOf, blobStatusOf } from '../../platform/ask-blob.ts';

/** Why storage does not let go of a blob yet: a retention policy, or a legal hold (learn.microsoft.com, "Blob Storage error codes"). */
const RETAINED = new Set(['BlobImmutableDueToPolicy', 'BlobImmutableDueToLegalHold']);

/**
 * Deletes a blob, whatever was done to it: whoever may write the archive of a draft may make snapshots of it too, and lease it.
 *
 * @returns `retained` when storage keeps it for now; `gone` also when it was not there.
 * @throws SkerryError `unavailable`.
 */
export async function deleteBlob(blob: BlobClient): Promise<'gone' | 'retained'> {
  return await askBlob(async (abortSignal) => {
    try {
      await deleteWhole(blob, abortSignal);
      return 'gone';
    } catch (error) {
      if (blobStatusOf(error) === BLOB_STATUS.notFound) return 'gone';
      if (RETAINED.has(blobCodeOf(error) ?? '')) return 'retained';
      throw error;
    }
  });
}

async function deleteWhole(blob: BlobClient, abortSignal: AbortSignal): Promise<void> {
  const options = { abortSignal, deleteSnapshots: 'include' } as const;
  try {
    await blob.delete(options);
  } catch (error) {
    if (blobCodeOf(error) !== 'LeaseIdMissing') throw error;
    await blob.getBlobLeaseClient().breakLease(0, { abortSignal });
    await blob.delete(options);
  }
}
