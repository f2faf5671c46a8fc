import type { RandomAccess } from '../content/bundle-input.ts';
import type { Manifest, ManifestFile } from '../content/manifest.ts';
import type { PackedInput } from '../storage/draft-store.ts';

/** Neighbours in an archive are read together, up to so many bytes. */
const RUN_BYTES = 4 * 1024 * 1024;
/** What lies between two files and is not wanted costs less than another request, up to so many bytes. */
const GAP_BYTES = 64 * 1024;

/**
 * Files of a stored archive, packed as they are there. They are meant to be read in their order: then small ones that lie near each other
 * take one request, whose bytes are let go of when all of them have been read.
 *
 * @param isWanted which of them.
 */
export function baseInputs(
  manifest: Manifest,
  archive: RandomAccess,
  isWanted: (path: string) => boolean,
): readonly PackedInput[] {
  const runs: ManifestFile[][] = [];
  for (const file of manifest.files) {
    if (!isWanted(file.path)) continue;
    const run = runs.at(-1);
    if (run !== undefined && isNear(run, file)) {
      run.push(file);
    } else {
      runs.push([file]);
    }
  }
  return runs.flatMap((files) => {
    const run = new Run(files, archive);
    return files.map((facts): PackedInput => ({ kind: 'packed', facts, read: () => run.read(facts) }));
  });
}

function isNear(run: readonly ManifestFile[], file: ManifestFile): boolean {
  const [first] = run;
  const last = run.at(-1);
  return (
    first !== undefined &&
    last !== undefined &&
    endOf(file) - first.offset <= RUN_BYTES &&
    file.offset - endOf(last) <= GAP_BYTES
  );
}

/** Neighbours that are read by one request. */
class Run {
  readonly #files: readonly ManifestFile[];
  readonly #archive: RandomAccess;
  #bytes: Promise<Uint8Array> | undefined;
  /** Of the bytes that are held, who has not been given theirs. */
  #waiting: Set<ManifestFile> = new Set();

  constructor(files: readonly ManifestFile[], archive: RandomAccess) {
    this.#files = files;
    this.#archive = archive;
  }

  async read(file: ManifestFile): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
    if (this.#files.length === 1 && file.packedSize > RUN_BYTES) {
      return this.#archive.stream(file.offset, endOf(file));
    }
    const bytes = await this.#bytesFor(file);
    // Copied, since a file that is kept for a while would keep all that was read with it.
    return new Uint8Array(bytes.subarray(file.offset - this.#start, endOf(file) - this.#start));
  }

  get #start(): number {
    return this.#files[0]?.offset ?? 0;
  }

  #bytesFor(file: ManifestFile): Promise<Uint8Array> {
    if (this.#bytes === undefined || !this.#waiting.has(file)) {
      const last = this.#files.at(-1);
      this.#bytes = this.#archive.read(this.#start, last === undefined ? this.#start : endOf(last));
      this.#waiting = new Set(this.#files);
    }
    const bytes = this.#bytes;
    this.#waiting.delete(file);
    if (this.#waiting.size === 0) this.#bytes = undefined;
    return bytes;
  }
}

function endOf({ offset, packedSize }: ManifestFile): number {
  return offset + packedSize;
}
