import { isDeepStrictEqual } from 'node:util';
import { CosmosClient, type Database } from '@azure/cosmos';
import { BlobServiceClient } from '@azure/storage-blob';
import {
  BLOB_CONTAINERS,
  COSMOS_CONTAINERS,
  COSMOS_DATABASE,
  type ContainerDeclaration,
} from '../../../shared/platform/topology.ts';

/** Creates the database and those of its containers that are missing, and brings the others in line with their declaration. */
export async function provisionCosmos(connectionString: string): Promise<void> {
  const client = new CosmosClient(connectionString);
  try {
    const { database } = await client.databases.createIfNotExists({ id: COSMOS_DATABASE });
    for (const declaration of Object.values(COSMOS_CONTAINERS)) await createContainer(database, declaration);
  } finally {
    client.dispose();
  }
}

/**
 * Creates a container that indexes what is declared and nothing else. One that is there, as in a data folder that an older version
 * made, is given the index and the time to live that are declared today.
 */
export async function createContainer(
  database: Database,
  { id, partitionKey, indexedPaths, defaultTimeToLive }: ContainerDeclaration,
): Promise<void> {
  const definition = {
    id,
    partitionKey: { paths: [partitionKey] },
    indexingPolicy: {
      includedPaths: indexedPaths.map((path) => ({ path })),
      excludedPaths: [{ path: '/*' }],
    },
    ...(defaultTimeToLive !== undefined && { defaultTtl: defaultTimeToLive }),
  };
  const { container, resource } = await database.containers.createIfNotExists(definition);
  const isInLine =
    isDeepStrictEqual(resource?.indexingPolicy?.includedPaths, definition.indexingPolicy.includedPaths) &&
    resource?.defaultTtl === definition.defaultTtl;
  if (!isInLine) await container.replace(definition);
}

/** Creates the blob containers that are missing. */
export async function provisionBlob(connectionString: string): Promise<void> {
  const service = BlobServiceClient.fromConnectionString(connectionString);
  await Promise.all(BLOB_CONTAINERS.map((name) => service.getContainerClient(name).createIfNotExists()));
}
