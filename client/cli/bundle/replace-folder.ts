import { chmod, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { isAtWork } from './is-at-work.ts';

/**
 * Puts a folder in the place of another one, as a whole: it is made in a workshop beside it, the other one is renamed into that, and it is
 * renamed. Whoever is killed in the midst leaves the old folder or the new one, or between the two renamings the old one in the workshop,
 * from where {@link repairFolder} brings it back. Of several at a time, each puts its folder there as a whole.
 *
 * @param fill makes what is in the folder; there is a place for temporary files that goes away, too.
 * @param confirm fails where a folder must not be replaced after all.
 * @throws what `confirm` throws; when that looked just before somebody changed the folder, it has its place again.
 */
export async function replaceFolder(
  target: string,
  fill: (folder: string, temporary: string) => Promise<void>,
  confirm: (folder: string) => Promise<void>,
): Promise<void> {
  const workshop = `${workshopPrefix(target)}${process.pid}`;
  await mkdir(path.dirname(target), { recursive: true });
  await rm(workshop, { recursive: true, force: true });
  await mkdir(workshop);
  const fresh = path.join(workshop, 'files');
  const old = oldFolder(workshop);
  try {
    await mkdir(fresh);
    await fill(fresh, workshop);
    await confirm(target);
    await keepMode(target, fresh);
    while (!(await exchange(target, fresh, old))) await confirm(target);
    if (await exists(old)) await takeBackChanged(target, fresh, old, confirm);
  } finally {
    // What could not be given its name back waits for the next one.
    if ((await exists(target)) || !(await exists(old))) await rm(workshop, { recursive: true, force: true });
  }
}

/** Whoever may not look into the old folder may not look into the new one either. */
async function keepMode(target: string, fresh: string): Promise<void> {
  if (!(await exists(target))) return;
  const facts = await lstat(target);
  if (facts.isDirectory()) await chmod(fresh, facts.mode & 0o7777);
}

/** @returns false where somebody else has put a folder there in between. */
async function exchange(target: string, fresh: string, old: string): Promise<boolean> {
  // Another one, which stood here before, was confirmed.
  await rm(old, { recursive: true, force: true });
  await rename(target, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EBUSY') {
      throw new Error(`${target} is in use as a whole, as where a disk is mounted: name a folder in it.`);
    }
    if (error.code !== 'ENOENT') throw error;
  });
  try {
    await rename(fresh, target);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    if (await exists(old)) await rename(old, target);
    throw error;
  }
}

/** Looks once more: somebody may have written into the old folder while others of its files were looked at. */
async function takeBackChanged(
  target: string,
  fresh: string,
  old: string,
  confirm: (folder: string) => Promise<void>,
): Promise<void> {
  try {
    await confirm(old);
  } catch (error) {
    await rename(target, fresh);
    await rename(old, target);
    // Says the same of the folder by its name.
    await confirm(target);
    throw error;
  }
}

/** Ends what somebody who was killed has begun: at the end there is a folder if there was one before. */
export async function repairFolder(target: string): Promise<void> {
  const prefix = path.basename(workshopPrefix(target));
  const besides = await readdir(path.dirname(target)).catch(() => []);
  for (const name of besides) {
    if (!name.startsWith(prefix) || isAtWork(Number(name.slice(prefix.length)))) continue;
    const workshop = path.join(path.dirname(target), name);
    const old = oldFolder(workshop);
    if (!(await exists(target)) && (await exists(old))) await rename(old, target);
    await rm(workshop, { recursive: true, force: true });
  }
}

function workshopPrefix(target: string): string {
  return path.join(path.dirname(target), `.${path.basename(target)}.skerry-new-`);
}

function oldFolder(workshop: string): string {
  return path.join(workshop, 'old');
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
