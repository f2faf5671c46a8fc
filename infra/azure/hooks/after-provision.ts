/** What azd runs when it has deployed main.bicep (azure.yaml); its outputs are in the environment. */
import { randomBytes } from 'node:crypto';
import { ensureSecretKey } from './ensure-secret-key.ts';
import { runAzd } from './run-azd.ts';

try {
  const { SKERRY_AZURE_KEY_VAULT: vault, SKERRY_AZURE_FUNCTION_APP: app } = process.env;
  if (!vault || !app) throw new Error('Nothing is deployed yet: this is run by azd, after "azd provision".');
  const { token } = JSON.parse(await runAzd('auth', 'token', '--output', 'json')) as { token: string };
  await ensureSecretKey({ vault, app, accessToken: token, randomBytes, say: console.log, fetch });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
