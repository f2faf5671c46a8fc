import type { BlockBlobClient } from '@azure/storage-blob';
import { askBlob, blobCodeOf, isBlobTaken } from '../../platform/ask-blob.ts';

/**
 * Writes a blob under a name that was made for it. Where the SDK repeats a write whose answer was lost, the repetition is refused; so a blob
 * that is there already, and as long as it should be, is what the first try wrote.
 *
 * @param size of the blob, in bytes.
 * @param moved bytes that the call itself sends; all of the blob unless said otherwise.
 * @throws SkerryError `unavailable`, in which case the blob may be there or not.
 */
export async function createBlob(
  client: BlockBlobClient,
  size: number,
  write: (abortSignal: AbortSignal) => Promise<unknown>,
  moved = size,
): Promise<void> {
  try {
    await askBlob(write, { bytes: moved });
  } catch (error) {
    // Once a list of blocks has become a blob, its blocks are no longer there to be listed.
    const mayBeOurs = isBlobTaken(error) || blobCodeOf(error) === 'InvalidBlockList';
    if (!mayBeOurs || (await sizeOf(client)) !== size) {
      throw error;
    }
  }
}

async function sizeOf(client: BlockBlobClient): Promise<number | undefined> {
  const { contentLength } = await askBlob((abortSignal) => client.getProperties({ abortSignal }));
  return contentLength;
}
