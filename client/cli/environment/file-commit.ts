import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const TIME_LIMIT = 30_000;

/**
 * The commit that a file is from: the last one that changed it, so that other files' commits make no new version of it.
 *
 * @returns undefined where git does not keep the file as it is.
 */
export async function findCommit(file: string, signal: AbortSignal): Promise<string | undefined> {
  const git = async (...words: readonly string[]) =>
    await promisify(execFile)('git', words, { cwd: path.dirname(file), timeout: TIME_LIMIT, signal });
  try {
    const { stdout: changes } = await git('status', '--porcelain', '--', file);
    if (changes !== '') return undefined;
    const { stdout: commit } = await git('log', '-1', '--format=%H', '--', file);
    return commit.trim() || undefined;
  } catch {
    signal.throwIfAborted();
    // No git, or no repository.
    return undefined;
  }
}
