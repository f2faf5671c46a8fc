import { CosmosClient, type Database, type Plugin } from '@azure/cosmos';
import { COSMOS_DATABASE } from '../../../shared/platform/topology.ts';
import { startCosmos } from '../../integration/cosmos-fixture.ts';

/** What was asked of Cosmos DB so far. */
export interface Usage {
  readonly requests: number;
  /** By the emulator's model of request charges; Strong reads are billed double in Azure. */
  readonly requestUnits: number;
}

/** Skerry's database in an emulator of its own, through a client that counts. */
export interface MeteredDatabase {
  readonly database: Database;
  /** What `work` asks of Cosmos DB. */
  measure(work: () => Promise<unknown>): Promise<Usage>;
  stop(): Promise<void>;
}

export async function startMeteredDatabase(): Promise<MeteredDatabase> {
  const cosmos = await startCosmos();
  const meter = { requests: 0, requestUnits: 0 };
  const plugin: Plugin<unknown> = async (context, _diagnostics, next) => {
    meter.requests += 1;
    try {
      const response = await next(context);
      meter.requestUnits += chargeOf(response);
      return response;
    } catch (error) {
      meter.requestUnits += chargeOf(error);
      throw error;
    }
  };
  // Plugins are an undocumented option of the SDK, the only one that sees every request's charge.
  const options = {
    connectionString: cosmos.server.connectionString,
    plugins: [{ on: 'request', plugin }],
  };
  const client = new CosmosClient(options);
  return {
    database: client.database(COSMOS_DATABASE),
    async measure(work) {
      const before = { ...meter };
      await work();
      return {
        requests: meter.requests - before.requests,
        requestUnits: meter.requestUnits - before.requestUnits,
      };
    },
    async stop() {
      client.dispose();
      await cosmos.stop();
    },
  };
}

/** The charge of an answer, or of an error that carries its headers, such as a 404. */
function chargeOf(answer: unknown): number {
  const headers = (answer as { headers?: Record<string, unknown> }).headers;
  return Number(headers?.['x-ms-request-charge'] ?? 0);
}
