import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The Azure Developer CLI may have to ask Entra ID for a token. */
const TIMEOUT_MILLISECONDS = 120_000;

/**
 * Runs the Azure Developer CLI, which has run the hook that calls this.
 *
 * @returns what it printed.
 * @throws Error with what it says of its failure.
 */
export async function runAzd(...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('azd', words, { timeout: TIMEOUT_MILLISECONDS });
  return stdout;
}
