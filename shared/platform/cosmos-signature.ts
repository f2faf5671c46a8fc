import { createHmac, createSecretKey } from 'node:crypto';
import type { CosmosClientOptions } from '@azure/cosmos';

type SignRequest = NonNullable<CosmosClientOptions['tokenProvider']>;

/**
 * Signs requests with an account's key ("Access control on Azure Cosmos DB resources"), as the SDK would by itself; but it hands the key's
 * bytes to Node for every request, which takes several times as long as the signature with a key that was made once.
 *
 * @param accountKey base64.
 */
export function signWithKey(accountKey: string): SignRequest {
  const key = createSecretKey(accountKey, 'base64');
  // The SDK leaves out what it asks the account itself for, whatever its types say.
  return async ({ verb, resourceType = '', resourceId = '', headers }) => {
    const date = String(headers['x-ms-date']);
    const text = `${verb.toLowerCase()}\n${resourceType.toLowerCase()}\n${resourceId}\n${date.toLowerCase()}\n\n`;
    return `type=master&ver=1.0&sig=${createHmac('sha256', key).update(text).digest('base64')}`;
  };
}
