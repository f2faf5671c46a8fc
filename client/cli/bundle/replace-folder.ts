import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/**
 * Puts a folder in the place of another one, as a whole: it is made beside it, the other one is renamed away, and it is renamed. Whoever is
 * killed in the midst leaves the old folder or the new one, or between the two renamings the old one under another name, which
 * {@link repairFolder} gives its name back.
 *
 * @param fill makes what is in the folder; there is a place for temporary files that goes away, too.
 * @param confirm fails where the old folder must not be replaced after all.
 */
export async function replaceFolder(
  target: string,
  fill: (folder: string, temporary: string) => Promise<void>,
  confirm: () => Promise<void>,
): Promise<void> {
  const workshop = `${besidePrefix(target)}new-${process.pid}`;
  await mkdir(path.dirname(target), { recursive: true });
  await rm(workshop, { recursive: true, force: true });
  await mkdir(workshop);
  try {
    const fresh = path.join(workshop, 'files');
    await mkdir(fresh);
    await fill(fresh, workshop);
    await confirm();
    await exchange(target, fresh);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

async function exchange(target: string, fresh: string): Promise<void> {
  const old = oldName(target);
  await rm(old, { recursive: true, force: true });
  const isThere = await exists(target);
  if (isThere) await rename(target, old);
  try {
    await rename(fresh, target);
  } catch (error) {
    if (isThere) await rename(old, target);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}

/** Ends what somebody who was killed has begun: at the end there is a folder if there was one before. */
export async function repairFolder(target: string): Promise<void> {
  if (!(await exists(target)) && (await exists(oldName(target)))) await rename(oldName(target), target);
  const prefix = `${path.basename(besidePrefix(target))}new-`;
  const besides = await readdir(path.dirname(target)).catch(() => []);
  for (const name of besides) {
    if (!name.startsWith(prefix) || isAlive(Number(name.slice(prefix.length)))) continue;
    await rm(path.join(path.dirname(target), name), { recursive: true, force: true });
  }
}

/** Whether a process makes a folder at the moment. This one does not, so that its number was another's before. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function besidePrefix(target: string): string {
  return path.join(path.dirname(target), `.${path.basename(target)}.skerry-`);
}

function oldName(target: string): string {
  return `${besidePrefix(target)}old`;
}

async function exists(place: string): Promise<boolean> {
  try {
    await lstat(place);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
