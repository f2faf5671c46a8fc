import { CosmosClient, type Database } from '@azure/cosmos';
import { signWithKey } from './cosmos-signature.ts';
import { COSMOS_DATABASE } from './topology.ts';

const REQUEST_TIMEOUT_MILLISECONDS = 5_000;

/** A caller waits for a throttled account no longer than this; then the answer is 503 with Retry-After. */
const MAX_THROTTLED_WAIT_SECONDS = 3;

/**
 * Skerry's database. Nothing is sent before it is used. Consistency is the account's own (Strong), and no
 * agent is passed: the SDK allows plain http, which the emulators speak, only through its own, which keeps
 * connections alive anyway.
 *
 * @throws Error unless the connection string has an endpoint and a key.
 */
export function openDatabase(connectionString: string): Database {
  const { endpoint, key } = parseConnectionString(connectionString);
  const client = new CosmosClient({
    endpoint,
    tokenProvider: signWithKey(key),
    userAgentSuffix: 'skerry',
    connectionPolicy: {
      requestTimeout: REQUEST_TIMEOUT_MILLISECONDS,
      retryOptions: { maxRetryAttemptCount: 9, maxWaitTimeInSeconds: MAX_THROTTLED_WAIT_SECONDS },
    },
  });
  return client.database(COSMOS_DATABASE);
}

function parseConnectionString(text: string): { endpoint: string; key: string } {
  const [, endpoint] = /(?:^|;)AccountEndpoint=([^;]+)/i.exec(text) ?? [];
  const [, key] = /(?:^|;)AccountKey=([^;]+)/i.exec(text) ?? [];
  if (endpoint === undefined || key === undefined) {
    throw new Error('The connection string of Cosmos DB needs an AccountEndpoint and an AccountKey.');
  }
  return { endpoint, key };
}
