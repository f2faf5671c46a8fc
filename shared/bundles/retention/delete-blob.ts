import type { ContainerClient } from '@azure/storage-blob';
import { askBlob, BLOB_STATUS, blobCodeOf, blobStatusOf } from '../../platform/ask-blob.ts';

/** Why storage does not let go of a blob yet: a retention policy, or a legal hold (learn.microsoft.com, "Blob Storage error codes"). */
const RETAINED = new Set(['BlobImmutableDueToPolicy', 'BlobImmutableDueToLegalHold']);

/**
 * Deletes a blob.
 *
 * @returns `retained` when storage keeps it for now; `gone` also when it was not there.
 * @throws SkerryError `unavailable`.
 */
export async function deleteBlob(container: ContainerClient, name: string): Promise<'gone' | 'retained'> {
  return await askBlob(async (abortSignal) => {
    try {
      await container.getBlobClient(name).delete({ abortSignal });
      return 'gone';
    } catch (error) {
      if (blobStatusOf(error) === BLOB_STATUS.notFound) return 'gone';
      if (RETAINED.has(blobCodeOf(error) ?? '')) return 'retained';
      throw error;
    }
  });
}
