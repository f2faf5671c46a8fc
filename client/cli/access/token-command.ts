import { exec } from 'node:child_process';
import { promisify } from 'node:util';
import type { TokenSource } from '../../transport/transport.ts';
import { UsageError } from '../usage-error.ts';

/** Milliseconds that the command has: it may have to ask somebody. */
const TIME_LIMIT = 120_000;
/** Milliseconds for which its token is used: those that know when their tokens end give out none with less than five minutes left. */
const REUSE = 240_000;

/**
 * Tokens that a command of the shell prints, such as `az account get-access-token --query accessToken --output tsv …`.
 *
 * The source throws UsageError with what the command wrote to standard error, where it fails or prints no token.
 */
export function tokensOfCommand(command: string, { signal }: { readonly signal: AbortSignal }): TokenSource {
  let kept: { readonly token: Promise<string>; readonly until: number } | undefined;
  return async () => {
    if (kept === undefined || performance.now() >= kept.until) {
      kept = { token: run(), until: performance.now() + REUSE };
    }
    const { token } = kept;
    try {
      return await token;
    } catch (error) {
      if (kept?.token === token) kept = undefined;
      throw error;
    }
  };

  async function run(): Promise<string> {
    const { stdout } = await promisify(exec)(command, { timeout: TIME_LIMIT, signal }).catch(
      (error: unknown) => {
        signal.throwIfAborted();
        const said =
          error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
        throw new UsageError(`SKERRY_TOKEN_COMMAND failed: ${said === '' ? 'it said nothing' : said}`);
      },
    );
    const token = stdout.trim();
    if (!/^[!-~]+$/.test(token))
      throw new UsageError('SKERRY_TOKEN_COMMAND did not print a token and nothing else.');
    return token;
  }
}
