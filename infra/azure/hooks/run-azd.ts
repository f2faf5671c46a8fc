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
  try {
    const { stdout } = await promisify(execFile)('azd', words, { timeout: TIMEOUT_MILLISECONDS });
    return stdout;
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw isMissing ? new Error('There is no "azd" on the PATH, which runs this: docs/azure.md.') : error;
  }
}
