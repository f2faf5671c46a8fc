import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, readdir, readlink, rename, rm, symlink, utimes } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { UsageError } from '../../usage-error.ts';
import { isAtWork } from '../is-at-work.ts';

/** Milliseconds for which a version stays after another has taken its place: for those who have begun to read it. */
const READERS_TIME = 60_000;
const NAME = /^\d+-[0-9a-f]{12}(-[0-9a-f]{8})?$/;
/** What is being made, with the number of the process that does. */
const UNFINISHED = /^\.(?:\d+-[0-9a-f]{12}-[0-9a-f]{8}|next)\.(\d+)$/;

/** What a folder is to hold. */
export interface VersionContent {
  readonly version: number;
  readonly digest: string;
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
}

/**
 * A folder that is one whole version at any time: a symbolic link that leads to one of the folders beside it, in `FOLDER.versions`, each of
 * which holds a version. Another version takes its place by the rename of a link, which nobody sees half done.
 */
export class VersionFolders {
  /** The link; absolute. */
  readonly link: string;
  /** Where the versions lie. */
  readonly place: string;

  private constructor(link: string) {
    this.link = link;
    this.place = `${link}.versions`;
  }

  /**
   * @param folder absolute.
   * @throws UsageError where something else is there.
   */
  static async open(folder: string): Promise<VersionFolders> {
    const folders = new VersionFolders(folder);
    const target = await folders.#target();
    if (target !== undefined && path.dirname(path.resolve(path.dirname(folder), target)) !== folders.place) {
      throw new UsageError(
        `${folder} leads to ${target}, which is none of its versions. Move it away first.`,
      );
    }
    await mkdir(folders.place, { recursive: true });
    return folders;
  }

  /** The name of the version that the link leads to; undefined where there is no link yet. */
  async current(): Promise<string | undefined> {
    const target = await this.#target();
    return target && path.basename(target);
  }

  pathOf(name: string): string {
    return path.join(this.place, name);
  }

  /**
   * Has a version lie there, as it should be.
   *
   * @param pull writes it into an empty folder; there is a place for temporary files, too.
   * @returns its name.
   */
  async provide(
    content: VersionContent,
    pull: (folder: string, temporary: string) => Promise<void>,
  ): Promise<string> {
    const name = `${content.version}-${content.digest.replace('sha256:', '').slice(0, 12)}`;
    // It becomes a path, whoever says so.
    if (!NAME.test(name)) throw new Error(`There is no version ${JSON.stringify(content.version)}.`);
    const names = await readdir(this.place);
    for (const known of names.filter((each) => each === name || each.startsWith(`${name}-`))) {
      if (await this.holds(known, content)) return known;
    }
    const suffix = randomBytes(4).toString('hex');
    const workshop = this.pathOf(`.${name}-${suffix}.${process.pid}`);
    const fresh = path.join(workshop, 'files');
    await mkdir(fresh, { recursive: true });
    try {
      await pull(fresh, workshop);
      if (await moveIfFree(fresh, this.pathOf(name))) return name;
      // Another follower was faster, or somebody may be reading one that is not as it should be.
      const other = `${name}-${suffix}`;
      await rename(fresh, this.pathOf(other));
      return other;
    } finally {
      await rm(workshop, { recursive: true, force: true });
    }
  }

  async has(name: string): Promise<boolean> {
    return (await readdir(this.place)).includes(name);
  }

  /** Whether a folder holds the files of a version, and nothing else. */
  async holds(name: string, { files }: VersionContent): Promise<boolean> {
    const folder = this.pathOf(name);
    try {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      if (entries.filter((entry) => !entry.isDirectory()).length !== files.length) return false;
      for (const file of files) {
        if ((await digestOf(path.join(folder, file.path))) !== file.sha256) return false;
      }
      return true;
    } catch (error) {
      if (isAbsence(error)) return false;
      throw error;
    }
  }

  /** Makes the folder be a version that lies there. */
  async point(name: string): Promise<void> {
    const next = this.pathOf(`.next.${process.pid}`);
    const before = await this.current();
    await rm(next, { force: true });
    await symlink(path.join(path.basename(this.place), name), next, 'dir');
    await rename(next, this.link);
    // From now on it is not the one any more; see `clean`.
    if (before !== undefined && before !== name) await touch(this.pathOf(before));
  }

  /**
   * Removes what is left of pulls that never ended, and versions, but for those that are named and the last so many.
   *
   * @param inUse names.
   */
  async clean(inUse: readonly string[], keep: number): Promise<void> {
    const names = await readdir(this.place);
    for (const name of names) {
      const pid = UNFINISHED.exec(name)?.[1];
      if (pid !== undefined && !isAtWork(Number(pid))) await this.#remove(name);
    }
    const versions = await Promise.all(
      names
        .filter((name) => NAME.test(name))
        .map(async (name) => ({ name, leftAt: await this.#leftAt(name) })),
    );
    versions.sort((one, other) => other.leftAt - one.leftAt);
    const spare = versions
      .filter(({ name }) => !inUse.includes(name))
      .slice(Math.max(0, keep - inUse.length));
    for (const { name, leftAt } of spare) {
      if (leftAt < Date.now() - READERS_TIME) await this.#remove(name);
    }
  }

  async #leftAt(name: string): Promise<number> {
    return (await lstat(this.pathOf(name))).mtimeMs;
  }

  async #remove(name: string): Promise<void> {
    await rm(this.pathOf(name), { recursive: true, force: true });
  }

  async #target(): Promise<string | undefined> {
    try {
      return await readlink(this.link);
    } catch (error) {
      if (isAbsence(error)) return undefined;
      if (error instanceof Error && 'code' in error && error.code === 'EINVAL') {
        throw new UsageError(
          `${this.link} is there and is no symbolic link: move it away, so that its versions can take its place.`,
        );
      }
      throw error;
    }
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** @returns false where there is something already. */
async function moveIfFree(folder: string, place: string): Promise<boolean> {
  try {
    await rename(folder, place);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'EPERM') return false;
    throw error;
  }
}

async function touch(folder: string): Promise<void> {
  const now = new Date();
  await utimes(folder, now, now).catch((error: unknown) => {
    if (!isAbsence(error)) throw error;
  });
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
