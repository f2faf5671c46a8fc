import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { isDatabaseFile } from './decode-file.ts';

export interface FoundFiles {
  /** Absolute paths with what tells one content of a file from the next. */
  readonly files: ReadonlyMap<string, string>;
  /** Every folder whose entries decide on the files, with what tells it from another of the same name. */
  readonly folders: ReadonlyMap<string, string>;
  /** Those of the given paths that do not exist. */
  readonly missing: readonly string[];
}

/**
 * The file databases at and below paths, in nested folders too. Names that begin with a dot are left out: editors and mounted
 * configuration maps of Kubernetes keep their own things there. Symbolic links are followed, each folder once.
 *
 * @param paths absolute.
 * @param except an absolute path that is none of them, whatever its name.
 */
export async function findFiles(paths: readonly string[], except: string | undefined): Promise<FoundFiles> {
  const files = new Map<string, string>();
  const folders = new Map<string, string>();
  const missing: string[] = [];
  const walked = new Set<string>();

  for (const root of paths) {
    // Whoever replaces the root itself does so in its parent.
    const parent = path.dirname(root);
    const facts = await orUndefined(stat(parent));
    if (facts !== undefined) folders.set(parent, identityOf(facts));
    const isThere = await visit(root, true);
    if (!isThere) missing.push(root);
  }
  return { files, folders, missing };

  async function visit(place: string, isRoot: boolean): Promise<boolean> {
    const facts = await orUndefined(stat(place, { bigint: true }));
    if (facts === undefined) return false;
    if (facts.isDirectory()) {
      await walk(place, identityOf(facts));
    } else if (place !== except && (isRoot || isDatabaseFile(place))) {
      files.set(place, `${facts.dev} ${facts.ino} ${facts.size} ${facts.mtimeNs} ${facts.ctimeNs}`);
    }
    return true;
  }

  async function walk(folder: string, identity: string): Promise<void> {
    const real = await orUndefined(realpath(folder));
    if (real === undefined || walked.has(real)) return;
    walked.add(real);
    folders.set(folder, identity);
    const names = (await orUndefined(readdir(folder))) ?? [];
    for (const name of names.sort()) {
      if (!name.startsWith('.')) await visit(path.join(folder, name), false);
    }
  }
}

function identityOf({ dev, ino }: { readonly dev: number | bigint; readonly ino: number | bigint }): string {
  return `${dev} ${ino}`;
}

/** Undefined for what is gone, be it since it was listed. */
async function orUndefined<Result>(result: Promise<Result>): Promise<Result | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw error;
  }
}
