import { CosmosClient } from '@azure/cosmos';
import { BlobServiceClient } from '@azure/storage-blob';
import { BLOB_CONTAINERS, COSMOS_CONTAINERS, COSMOS_DATABASE } from '../../../shared/platform/topology.ts';

/** Creates the database and those of its containers that are missing. */
export async function provisionCosmos(connectionString: string): Promise<void> {
  const client = new CosmosClient(connectionString);
  try {
    const { database } = await client.databases.createIfNotExists({ id: COSMOS_DATABASE });
    for (const { id, partitionKey, indexedPaths, ...rest } of Object.values(COSMOS_CONTAINERS)) {
      await database.containers.createIfNotExists({
        id,
        partitionKey: { paths: [partitionKey] },
        indexingPolicy: {
          includedPaths: indexedPaths.map((path) => ({ path })),
          excludedPaths: [{ path: '/*' }],
        },
        ...('defaultTimeToLive' in rest ? { defaultTtl: rest.defaultTimeToLive } : {}),
      });
    }
  } finally {
    client.dispose();
  }
}

/** Creates the blob containers that are missing. */
export async function provisionBlob(connectionString: string): Promise<void> {
  const service = BlobServiceClient.fromConnectionString(connectionString);
  await Promise.all(BLOB_CONTAINERS.map((name) => service.getContainerClient(name).createIfNotExists()));
}
