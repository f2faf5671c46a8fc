import type { BlobServiceClient } from '@azure/storage-blob';
import type { Connection } from './connection.ts';
import { azureCredential } from './identity.ts';

/**
 * A Blob Storage client. The SDK is loaded at the first call, and nothing is sent before it is used. How long a caller waits is decided by
 * `askBlob`; the time of one try is told to the service alone, which has to receive a block in it.
 */
export async function connectBlob(connection: Connection): Promise<BlobServiceClient> {
  const { BlobServiceClient } = await import('@azure/storage-blob');
  const options = {
    retryOptions: { maxTries: 3, tryTimeoutInMs: 30_000, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 },
  };
  return typeof connection === 'string'
    ? BlobServiceClient.fromConnectionString(connection, options)
    : new BlobServiceClient(connection.endpoint, azureCredential(connection), options);
}
