import type { BlobServiceClient } from '@azure/storage-blob';

/**
 * A Blob Storage client. The SDK is loaded at the first call, and nothing is sent before it is used. How long a caller waits is decided by
 * `askBlob`; the time of one try is told to the service alone, which has to receive a block in it.
 */
export async function connectBlob(connectionString: string): Promise<BlobServiceClient> {
  const { BlobServiceClient } = await import('@azure/storage-blob');
  return BlobServiceClient.fromConnectionString(connectionString, {
    retryOptions: { maxTries: 3, tryTimeoutInMs: 30_000, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 },
  });
}
