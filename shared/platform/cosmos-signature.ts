import { createHmac, createSecretKey } from 'node:crypto';
import type { CosmosClientOptions } from '@azure/cosmos';
import type { AccessToken, TokenCredential } from '@azure/identity';

/** What tokens for every account are for; those for one would depend on the name under which it is reached. */
const TOKEN_SCOPE = 'https://cosmos.azure.com/.default';
/** Milliseconds before its end from which a token is replaced, while requests go on with it. */
const REFRESH_BEFORE = 5 * 60_000;
/** Milliseconds before its end from which a token is no longer sent: it has to be good when it arrives. */
const LAST_USE_BEFORE = 15_000;

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

/**
 * Authorizes requests with tokens of an identity ("Access control on Azure Cosmos DB resources", type `aad`). What the SDK does by itself
 * would write headers into the error of a token that cannot be had, and refuses the plain http of a server on this machine.
 *
 * The function that is returned throws what the credential throws, once no token is left that is good.
 */
export function signWithToken(credential: TokenCredential): SignRequest {
  let kept: AccessToken | undefined;
  let asking: Promise<AccessToken> | undefined;
  return async () => {
    const left = kept === undefined ? 0 : kept.expiresOnTimestamp - Date.now();
    if (kept === undefined || left <= LAST_USE_BEFORE) {
      kept = await ask();
    } else if (left <= REFRESH_BEFORE || Date.now() >= (kept.refreshAfterTimestamp ?? Infinity)) {
      // What it says now is said again when the old one is over.
      ask().catch(() => {});
    }
    return `type=aad&ver=1.0&sig=${kept.token}`;
  };

  function ask(): Promise<AccessToken> {
    asking ??= askCredential().finally(() => {
      asking = undefined;
    });
    return asking;
  }

  async function askCredential(): Promise<AccessToken> {
    const token = await credential.getToken(TOKEN_SCOPE);
    if (token === null) throw new Error('The identity of this app gave no token for Cosmos DB.');
    kept = token;
    return token;
  }
}
