import { randomBytes } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

const FILE = 'secret-key';
const KEY_BYTES = 32;

/**
 * The key of a data folder, base64, that secrets in its data are sealed with; made at the first run. It is written whole or not at
 * all: nothing opens again what was sealed with a key that is lost.
 *
 * @param folder is in use by this process alone.
 */
export async function secretKeyOf(folder: string): Promise<string> {
  const file = path.join(folder, FILE);
  const draft = `${file}.draft`;
  await rm(draft, { force: true });
  await writeFile(draft, randomBytes(KEY_BYTES).toString('base64'), { mode: 0o600, flush: true });
  try {
    await link(draft, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return await readFile(file, 'utf8');
}
