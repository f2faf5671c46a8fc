import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type DatabaseEntry, UndecodableFile } from './database-entry.ts';
import { decodeFile, EXTENSIONS, isDatabaseFile } from './decode-file.ts';
import { type FoundFiles, findFiles } from './find-files.ts';

/** Milliseconds for which a file that became empty may only be on its way to new content: programs empty files and then write them. */
const EMPTY_PATIENCE = 5000;

export interface FileSetOptions {
  /** Absolute; files and folders. */
  readonly paths: readonly string[];
  /** An absolute path that is never read: the status file may lie among the others. */
  readonly except: string | undefined;
  /** Where keys go that name no store. */
  readonly store: string | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What the files of a database say, as far as they can be decoded: of a file that cannot be, what it said before. */
export class FileSet {
  readonly #options: FileSetOptions;
  readonly #stamps = new Map<string, string>();
  readonly #entries = new Map<string, readonly DatabaseEntry[]>();
  /** Files that were found empty after they had held something, and since when. */
  readonly #emptied = new Map<string, { readonly stamp: string; readonly since: number }>();
  /** Given paths that were folders. */
  readonly #rootFolders = new Set<string>();
  readonly #missed = new Set<string>();
  #folders: FoundFiles['folders'] = new Map();

  constructor(options: FileSetOptions) {
    this.#options = options;
  }

  get entries(): ReadonlyMap<string, readonly DatabaseEntry[]> {
    return this.#entries;
  }

  /** Every folder whose entries decide on the files, as `findFiles` has them. */
  get folders(): FoundFiles['folders'] {
    return this.#folders;
  }

  /**
   * Reads everything.
   *
   * @throws UndecodableFile, or the error of a path that cannot be read.
   */
  async load(): Promise<void> {
    for (const root of this.#options.paths) {
      const facts = await stat(root);
      if (facts.isDirectory()) this.#rootFolders.add(root);
      else if (!isDatabaseFile(root))
        throw new UndecodableFile(root, `the extension must be one of ${EXTENSIONS.join(', ')}`);
    }
    const { files, folders } = await this.#find();
    this.#folders = folders;
    for (const [file, stamp] of files) await this.#read(file, stamp);
  }

  /**
   * Reads what has changed since, and keeps what it knows wherever something is wrong.
   *
   * @param onFault told once of everything that cannot be used.
   * @returns whether anything may have changed.
   */
  async refresh(onFault: (reason: string) => void): Promise<boolean> {
    let found: FoundFiles;
    try {
      found = await this.#find();
    } catch (error) {
      onFault(messageOf(error));
      return false;
    }
    this.#folders = found.folders;
    let isChanged = false;
    for (const [file, stamp] of found.files) {
      if (this.#stamps.get(file) === stamp) continue;
      try {
        isChanged = (await this.#read(file, stamp)) || isChanged;
      } catch (error) {
        // The stamp stays, so that the same fault is told once.
        this.#stamps.set(file, stamp);
        onFault(messageOf(error));
      }
    }
    const lost = this.#lostRoots(found, onFault);
    for (const file of [...this.#stamps.keys()]) {
      if (found.files.has(file) || lost.some((root) => file.startsWith(root + path.sep))) continue;
      this.#stamps.delete(file);
      isChanged = this.#entries.delete(file) || isChanged;
    }
    return isChanged;
  }

  /** A folder that the user named and that is gone is likelier a lost mount than the wish to delete all that it held. */
  #lostRoots({ missing }: FoundFiles, onFault: (reason: string) => void): readonly string[] {
    const lost = missing.filter((root) => this.#rootFolders.has(root));
    for (const root of lost) {
      if (!this.#missed.has(root))
        onFault(`${root}: the folder is gone; what its files said stays until it is back`);
    }
    this.#missed.clear();
    for (const root of lost) this.#missed.add(root);
    return lost;
  }

  #find(): Promise<FoundFiles> {
    return findFiles(this.#options.paths, this.#options.except);
  }

  /** @returns whether it was taken as it is. */
  async #read(file: string, stamp: string): Promise<boolean> {
    const text = await readFile(file, 'utf8');
    const entries = decodeFile(file, text, this.#options.store);
    // Without its stamp it is read again at the next look.
    if (text.trim() === '' && this.#mayOnlyBeEmptyYet(file, stamp)) return false;
    this.#emptied.delete(file);
    this.#entries.set(file, entries);
    this.#stamps.set(file, stamp);
    return true;
  }

  #mayOnlyBeEmptyYet(file: string, stamp: string): boolean {
    if ((this.#entries.get(file) ?? []).length === 0) return false;
    const now = this.#options.now();
    const seen = this.#emptied.get(file);
    if (seen?.stamp === stamp) return now - seen.since < EMPTY_PATIENCE;
    this.#emptied.set(file, { stamp, since: now });
    return true;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
