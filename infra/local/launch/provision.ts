import { CosmosClient, type Database } from '@azure/cosmos';
import { BlobServiceClient } from '@azure/storage-blob';
import {
  BLOB_CONTAINERS,
  COSMOS_CONTAINERS,
  COSMOS_DATABASE,
  type ContainerDeclaration,
} from '../../../shared/platform/topology.ts';

/** Creates the database and those of its containers that are missing. */
export async function provisionCosmos(connectionString: string): Promise<void> {
  const client = new CosmosClient(connectionString);
  try {
    const { database } = await client.databases.createIfNotExists({ id: COSMOS_DATABASE });
    for (const declaration of Object.values(COSMOS_CONTAINERS)) await createContainer(database, declaration);
  } finally {
    client.dispose();
  }
}

/** Creates a container, unless it is there, that indexes what is declared and nothing else. */
export async function createContainer(
  database: Database,
  { id, partitionKey, indexedPaths, defaultTimeToLive }: ContainerDeclaration,
): Promise<void> {
  await database.containers.createIfNotExists({
    id,
    partitionKey: { paths: [partitionKey] },
    indexingPolicy: {
      includedPaths: indexedPaths.map((path) => ({ path })),
      excludedPaths: [{ path: '/*' }],
    },
    ...(defaultTimeToLive !== undefined && { defaultTtl: defaultTimeToLive }),
  });
}

/** Creates the blob containers that are missing. */
export async function provisionBlob(connectionString: string): Promise<void> {
  const service = BlobServiceClient.fromConnectionString(connectionString);
  await Promise.all(BLOB_CONTAINERS.map((name) => service.getContainerClient(name).createIfNotExists()));
}
