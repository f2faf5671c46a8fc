import { CosmosClient, type CosmosClientOptions, type Database } from '@azure/cosmos';
import type { Connection } from './connection.ts';
import { cosmosMeter } from './cosmos-meter.ts';
import { signWithKey, signWithToken } from './cosmos-signature.ts';
import { azureCredential } from './identity.ts';
import { COSMOS_DATABASE } from './topology.ts';

const REQUEST_TIMEOUT_MILLISECONDS = 5_000;

/** A caller waits for a throttled account no longer than this; then the answer is 503 with Retry-After. */
const MAX_THROTTLED_WAIT_SECONDS = 3;

/**
 * Skerry's database. Nothing is sent before it is used. Consistency is the account's own (Strong), and no
 * agent is passed: the SDK allows plain http, which the emulators speak, only through its own, which keeps
 * connections alive anyway.
 *
 * @throws Error for a connection string without an endpoint or a key.
 */
export function openDatabase(connection: Connection): Database {
  const options = {
    ...accessOf(connection),
    plugins: [cosmosMeter],
    userAgentSuffix: 'skerry',
    connectionPolicy: {
      requestTimeout: REQUEST_TIMEOUT_MILLISECONDS,
      retryOptions: { maxRetryAttemptCount: 9, maxWaitTimeInSeconds: MAX_THROTTLED_WAIT_SECONDS },
    },
  };
  const client = new CosmosClient(options);
  return client.database(COSMOS_DATABASE);
}

function accessOf(connection: Connection): Pick<CosmosClientOptions, 'endpoint' | 'tokenProvider'> {
  if (typeof connection === 'string') {
    const { endpoint, key } = parseConnectionString(connection);
    return { endpoint, tokenProvider: signWithKey(key) };
  }
  return { endpoint: connection.endpoint, tokenProvider: signWithToken(azureCredential(connection)) };
}

function parseConnectionString(text: string): { endpoint: string; key: string } {
  const [, endpoint] = /(?:^|;)AccountEndpoint=([^;]+)/i.exec(text) ?? [];
  const [, key] = /(?:^|;)AccountKey=([^;]+)/i.exec(text) ?? [];
  if (endpoint === undefined || key === undefined) {
    throw new Error('The connection string of Cosmos DB needs an AccountEndpoint and an AccountKey.');
  }
  return { endpoint, key };
}
