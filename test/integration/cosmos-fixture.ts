import { CosmosClient, type Database } from '@azure/cosmos';
import {
  type CosmosServer,
  type CosmosServerOptions,
  startCosmosServer,
} from '../../infra/local/cosmos/server.ts';
import { provisionCosmos } from '../../infra/local/launch/provision.ts';
import { signWithKey } from '../../shared/platform/cosmos-signature.ts';
import { COSMOS_DATABASE } from '../../shared/platform/topology.ts';

export interface CosmosFixture {
  readonly server: CosmosServer;
  /** The database over a client of its own, as another process would have it. */
  connect(): Database;
  stop(): Promise<void>;
}

/** Starts a Cosmos DB emulator on a free port, with Skerry's database and containers in it. */
export async function startCosmos(options: Partial<CosmosServerOptions> = {}): Promise<CosmosFixture> {
  const server = await startCosmosServer({ port: 0, ...options });
  await provisionCosmos(server.connectionString);
  const clients: CosmosClient[] = [];
  return {
    server,
    connect() {
      // Signed as by the product, which costs a sixth of what the SDK's own signature does.
      const client = new CosmosClient({
        endpoint: server.endpoint,
        tokenProvider: signWithKey(server.key),
      });
      clients.push(client);
      return client.database(COSMOS_DATABASE);
    },
    async stop() {
      for (const client of clients) {
        client.dispose();
      }
      await server.stop();
    },
  };
}
