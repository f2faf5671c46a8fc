import { rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import type { Json } from '../../store/content.ts';
import { UsageError } from '../usage-error.ts';
import { EXTENSIONS } from './decode-file.ts';
import { labelledKey } from './place-of-key.ts';

/** Below which key of a store its agent says how it is. */
export const STATUS_PREFIX = 'check/status/';

/** The one file that a sync writes: the status that agents have put, as a file database in the format that its extension names. */
export class StatusFile {
  readonly path: string;
  /** By store, then by key within it. */
  readonly #status = new Map<string, Map<string, Json>>();
  #written: string | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string) {
    this.path = file;
  }

  /** @throws UsageError where no such file can be written. */
  static async at(file: string): Promise<StatusFile> {
    const facts = await statOrUndefined(file);
    if (facts?.isDirectory()) {
      throw new UsageError(
        `--status-path names a folder: ${file}. Name a file in it, such as ${path.join(file, 'status.json')}.`,
      );
    }
    if (!EXTENSIONS.includes(path.extname(file))) {
      throw new UsageError(`--status-path takes a file that ends in ${EXTENSIONS.join(', ')}, not ${file}.`);
    }
    const folder = await statOrUndefined(path.dirname(file));
    if (!folder?.isDirectory()) {
      throw new UsageError(`--status-path: there is no folder ${path.dirname(file)}.`);
    }
    return new StatusFile(file);
  }

  /** What the keys of a store below its status prefix hold now; writes the file where that is news. */
  async set(store: string, status: Map<string, Json>): Promise<void> {
    this.#status.set(store, status);
    // One after another, so that an older state never comes to stand over a newer one.
    const writing = this.#writing.then(() => this.#write());
    this.#writing = writing.catch(() => {});
    await writing;
  }

  async #write(): Promise<void> {
    const data = [...this.#status]
      .flatMap(([store, status]) =>
        [...status].map(([key, value]) => ({ key: labelledKey(store, key), value })),
      )
      .sort((one, other) => (one.key < other.key ? -1 : 1));
    const text =
      path.extname(this.path) === '.json' ? `${JSON.stringify({ data }, null, 2)}\n` : stringify({ data });
    if (text === this.#written) return;
    // Under another name first: whoever reads the file finds all of it.
    const draft = path.join(path.dirname(this.path), `.${path.basename(this.path)}.${process.pid}.tmp`);
    await writeFile(draft, text);
    await rename(draft, this.path);
    this.#written = text;
  }
}

async function statOrUndefined(place: string) {
  try {
    return await stat(place);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw error;
  }
}
