import { renameSync, writeFileSync } from 'node:fs';
import {
  access,
  constants,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LaunchError } from './launch-error.ts';
import { identifyProcess, isRunning, type ProcessIdentity } from './process-identity.ts';

const LOCK_FILE = 'lock.json';
const TEMPORARY_PREFIX = 'skerry-data-';
/** How long the children of a killed run may take to end: Azurite writes its metadata down first. */
const LEFTOVER_DEADLINE_MILLISECONDS = 5_000;
const POLL_MILLISECONDS = 10;

interface Lock {
  readonly owner: ProcessIdentity;
  readonly children: readonly ProcessIdentity[];
}

/** A folder of data that this process alone uses, until it is released. */
export interface DataFolder {
  readonly path: string;
  readonly temporary: boolean;
  /** Notes a child that uses the folder, so that the next run waits for it should this one be killed. */
  recordChild(pid: number): void;
  /** Gives the folder up; a temporary one is removed. */
  release(): Promise<void>;
}

/**
 * Takes a data folder into use, creating it where it is missing. A lock that a killed run left behind is taken over, once the
 * children of that run have ended.
 *
 * @param folder where it is; absent means a temporary one.
 * @throws LaunchError when another process uses it.
 */
export async function claimDataFolder(folder: string | undefined): Promise<DataFolder> {
  const temporary = folder === undefined;
  if (temporary) {
    await removeAbandonedFolders();
  }
  const location = temporary ? await mkdtemp(path.join(os.tmpdir(), TEMPORARY_PREFIX)) : path.resolve(folder);
  await makeFolder(location);
  const lockFile = path.join(location, LOCK_FILE);
  let lock: Lock = { owner: identifyProcess(process.pid), children: [] };
  await acquire(lockFile, lock, location);

  return {
    path: location,
    temporary,
    recordChild(pid) {
      lock = { ...lock, children: [...lock.children.filter(isRunning), identifyProcess(pid)] };
      const draft = `${lockFile}.${process.pid}`;
      writeFileSync(draft, JSON.stringify(lock));
      renameSync(draft, lockFile);
    },
    async release() {
      await (temporary ? rm(location, { recursive: true, force: true }) : rm(lockFile, { force: true }));
    },
  };
}

/**
 * Level by level, because `mkdir` with `recursive` never ends where a folder can exist but not be filled, as below /proc.
 *
 * @throws LaunchError that names the folder and the reason.
 */
async function makeFolder(location: string): Promise<void> {
  try {
    if ((await mkdirUnlessPresent(location)) === 'no parent') {
      await makeFolder(path.dirname(location));
      await mkdir(location);
    }
    await access(location, constants.W_OK);
  } catch (error) {
    if (error instanceof LaunchError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new LaunchError(
      `The data folder ${location} cannot be used: ${reason}. Choose another one with --data.`,
    );
  }
}

async function mkdirUnlessPresent(location: string): Promise<'present' | 'no parent'> {
  try {
    await mkdir(location);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'no parent';
    if (!hasCode(error, 'EEXIST') || !(await stat(location)).isDirectory()) throw error;
  }
  return 'present';
}

async function acquire(lockFile: string, lock: Lock, location: string): Promise<void> {
  for (;;) {
    if (await createWhole(lockFile, lock)) return;
    const current = await readLock(lockFile);
    if (current === undefined) continue;
    if (isRunning(current.owner)) {
      throw new LaunchError(
        `The data folder ${location} is in use by process ${current.owner.pid}: stop that one, or choose another folder with --data.`,
      );
    }
    await waitForLeftovers(current, location);
    await removeStale(lockFile, lock);
  }
}

/** Linking a finished file under the lock's name is atomic, and nobody ever reads half a lock. */
async function createWhole(lockFile: string, lock: Lock): Promise<boolean> {
  const draft = `${lockFile}.${process.pid}`;
  await writeFile(draft, JSON.stringify(lock));
  try {
    await link(draft, lockFile);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Removes a lock whose owner is gone. Several runs may find the same stale lock: only the one that holds the takeover lock removes
 * it, so that nobody removes the new lock of whoever was faster. The others return and look again.
 */
async function removeStale(lockFile: string, lock: Lock): Promise<void> {
  const takeoverFile = `${lockFile}.takeover`;
  if (!(await createWhole(takeoverFile, lock))) {
    const takeover = await readLock(takeoverFile);
    await (takeover !== undefined && !isRunning(takeover.owner)
      ? rm(takeoverFile, { force: true })
      : sleep(POLL_MILLISECONDS));
    return;
  }
  try {
    const current = await readLock(lockFile);
    if (current !== undefined && !isRunning(current.owner)) {
      await rm(lockFile);
    }
  } finally {
    await rm(takeoverFile);
  }
}

async function waitForLeftovers({ children }: Lock, location: string): Promise<void> {
  const deadline = performance.now() + LEFTOVER_DEADLINE_MILLISECONDS;
  for (;;) {
    const leftovers = children.filter(isRunning);
    if (leftovers.length === 0) return;
    if (performance.now() > deadline) {
      const pids = leftovers.map((leftover) => leftover.pid).join(' and ');
      throw new LaunchError(
        `The data folder ${location} is still in use by process ${pids}, left over from a killed run: end it, then start again.`,
      );
    }
    await sleep(POLL_MILLISECONDS);
  }
}

async function readLock(file: string): Promise<Lock | undefined> {
  try {
    const lock: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (isLock(lock)) return lock;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new LaunchError(`${file} is not the lock of a data folder: remove it, then start again.`);
}

function isLock(value: unknown): value is Lock {
  return typeof value === 'object' && value !== null && 'owner' in value && 'children' in value;
}

/** A killed run cannot remove its temporary folder, so the next one does. */
async function removeAbandonedFolders(): Promise<void> {
  const names = await readdir(os.tmpdir());
  const folders = names
    .filter((name) => name.startsWith(TEMPORARY_PREFIX))
    .map((name) => path.join(os.tmpdir(), name));
  await Promise.all(
    folders.map(async (folder) => {
      try {
        const lock = await readLock(path.join(folder, LOCK_FILE));
        if (lock !== undefined && ![lock.owner, ...lock.children].some(isRunning)) {
          await rm(folder, { recursive: true, force: true });
        }
      } catch {
        // Somebody else's folder, or one that is being removed by another run: no reason not to start.
      }
    }),
  );
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
