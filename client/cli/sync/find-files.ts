import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { isDatabaseFile } from './decode-file.ts';

export interface FoundFolder {
  /** Tells the folder from another of the same name. */
  readonly identity: string;
  /** The only names in it that matter; all without. */
  readonly names?: ReadonlySet<string>;
}

export interface FoundFiles {
  /** Absolute paths with what tells one content of a file from the next. */
  readonly files: ReadonlyMap<string, string>;
  /** Every folder whose entries decide on the files. */
  readonly folders: ReadonlyMap<string, FoundFolder>;
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
  const folders = new Map<string, FoundFolder>();
  const missing: string[] = [];
  const walked = new Set<string>();

  for (const root of paths) {
    const isThere = await visit(root, true);
    if (!isThere) missing.push(root);
  }
  // Whoever replaces a given path does so in the folder that it is in.
  for (const root of paths) await addParent(root);
  return { files, folders, missing };

  async function addParent(root: string): Promise<void> {
    const parent = path.dirname(root);
    const known = folders.get(parent);
    const facts = known === undefined ? await orUndefined(stat(parent, { bigint: true })) : undefined;
    const names = new Set([...(known?.names ?? []), path.basename(root)]);
    if (facts !== undefined) folders.set(parent, { identity: identityOf(facts), names });
    else if (known?.names !== undefined) folders.set(parent, { ...known, names });
  }

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
    folders.set(folder, { identity });
    const names = (await orUndefined(readdir(folder))) ?? [];
    for (const name of names.sort()) {
      if (!name.startsWith('.')) await visit(path.join(folder, name), false);
    }
  }
}

function identityOf({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
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
