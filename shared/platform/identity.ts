import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/identity';
import { unavailable } from './errors.ts';
import { inTime } from './in-time.ts';

/** Of one token, with all tries: the SDK's own patience with an identity that does not answer has no end that callers could set. */
const TOKEN_TIMEOUT_MILLISECONDS = 15_000;

const RETRIES = { maxRetries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 };

/**
 * Who this process is to Azure: the app's managed identity where the platform offers one, else whoever is signed in on this machine. The
 * SDK is loaded at the first token that is asked for; tokens are kept by it, and by the clients that ask.
 *
 * @param clientId of a user-assigned identity; without it the system-assigned one is meant.
 */
export function azureCredential({
  clientId,
}: {
  readonly clientId?: string | undefined;
} = {}): TokenCredential {
  let loaded: Promise<TokenCredential> | undefined;
  return {
    async getToken(scopes: string | string[], options?: GetTokenOptions): Promise<AccessToken | null> {
      loaded ??= loadCredential(clientId);
      const credential = await loaded;
      return await askFor(() => credential.getToken(scopes, options));
    },
  };
}

async function loadCredential(clientId: string | undefined): Promise<TokenCredential> {
  const { DefaultAzureCredential, ManagedIdentityCredential } = await import('@azure/identity');
  // Azure sets it wherever an app has an identity; only there is it right to ask for nothing else.
  if (process.env.IDENTITY_ENDPOINT === undefined) {
    return new DefaultAzureCredential({
      retryOptions: RETRIES,
      ...(clientId !== undefined && { managedIdentityClientId: clientId }),
    });
  }
  return new ManagedIdentityCredential({
    retryOptions: RETRIES,
    ...(clientId !== undefined && { clientId }),
  });
}

/** @throws SkerryError `unavailable` where no token comes. */
async function askFor(token: () => Promise<AccessToken | null>): Promise<AccessToken | null> {
  try {
    return await inTime(
      TOKEN_TIMEOUT_MILLISECONDS,
      token,
      () => new Error(`No token came within ${TOKEN_TIMEOUT_MILLISECONDS} ms.`),
    );
  } catch (cause) {
    throw unavailable('No access token for Azure can be had at the moment.', {
      fix: 'Give the app a managed identity, and the client id of it in its settings; on a laptop, sign in with `az login`.',
      cause,
    });
  }
}
