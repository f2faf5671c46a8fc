import { readFile, rename, writeFile } from 'node:fs/promises';

/** The last version that worked here. */
export interface LastGood {
  readonly bundle: string;
  readonly version: number;
  readonly digest: string;
  /** Its name among the versions. */
  readonly name: string;
  /** Whether Skerry has been told. */
  readonly isAcknowledged: boolean;
}

/** Remembers the last good version in a file, over the ends of processes. */
export class LastGoodFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns undefined where there is none, or one of another bundle. */
  async load(bundle: string): Promise<LastGood | undefined> {
    try {
      const content = JSON.parse(await readFile(this.#path, 'utf8')) as LastGood;
      return content.bundle === bundle ? content : undefined;
    } catch (error) {
      // A file that a machine lost half of when its power failed says nothing.
      if (error instanceof SyntaxError) return undefined;
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async save(good: LastGood): Promise<void> {
    const draft = `${this.#path}.${process.pid}.tmp`;
    await writeFile(draft, `${JSON.stringify(good, null, 2)}\n`);
    await rename(draft, this.#path);
  }
}
