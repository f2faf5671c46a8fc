/** The name that modules/function-app.bicep refers to. */
export const SECRET_NAME = 'skerry-secret-keys';

const RESOURCE_MANAGER = 'https://management.azure.com';
const TIMEOUT_MILLISECONDS = 60_000;
const VAULT_VERSION = '2023-07-01';
const SITE_VERSION = '2022-03-01';
const AGAIN = 'Try again by "azd hooks run postprovision".';

export interface SecretKeyOptions {
  /** Resource ids, as main.bicep puts them out. */
  readonly vault: string;
  readonly app: string;
  /** Of whoever deploys, for Azure Resource Manager. */
  readonly accessToken: string;
  readonly randomBytes: (size: number) => Buffer;
  readonly say: (line: string) => void;
  readonly fetch: typeof globalThis.fetch;
}

/**
 * Puts a key into the vault that the app seals secrets with, unless there is one, and has the app read it. The key is made here and goes to
 * the vault, and nowhere else. This goes by Azure Resource Manager, which reaches the vault also where its data is closed to the Internet,
 * needs no right to read secrets, and tells of a secret without its value.
 *
 * @throws Error with what Azure Resource Manager says.
 */
export async function ensureSecretKey(options: SecretKeyOptions): Promise<void> {
  const secret = `${options.vault}/secrets/${SECRET_NAME}?api-version=${VAULT_VERSION}`;
  const present = await send(options, 'GET', secret);
  if (!present.ok && present.status !== 404) throw await refusal(present, 'look for the key');
  if (!present.ok) {
    const value = options.randomBytes(32).toString('base64');
    const stored = await send(options, 'PUT', secret, { properties: { value } });
    if (!stored.ok) throw await refusal(stored, 'store the key');
    options.say(`Made the key that secrets are sealed with: ${SECRET_NAME} in the vault.`);
  }
  // The platform has read the setting already, and else would look again only after hours.
  const refreshed = await send(
    options,
    'POST',
    `${options.app}/config/configreferences/appsettings/refresh?api-version=${SITE_VERSION}`,
  );
  if (!refreshed.ok) throw await refusal(refreshed, 'have the app read the key');
}

async function send(
  { accessToken, fetch }: SecretKeyOptions,
  method: string,
  pathAndQuery: string,
  body?: object,
): Promise<Response> {
  try {
    return await fetch(`${RESOURCE_MANAGER}${pathAndQuery}`, {
      method,
      headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    });
  } catch (cause) {
    // The cause of "fetch failed" says which name or port it was.
    const { message } =
      cause instanceof Error && cause.cause instanceof Error ? cause.cause : (cause as Error);
    throw new Error(`Azure Resource Manager does not answer at ${RESOURCE_MANAGER} (${message}). ${AGAIN}`, {
      cause,
    });
  }
}

async function refusal(response: Response, purpose: string): Promise<Error> {
  const text = (await response.text()).slice(0, 500);
  return new Error(
    `Azure Resource Manager does not let this ${purpose} (${response.status} ${text}). ${AGAIN}`,
  );
}
