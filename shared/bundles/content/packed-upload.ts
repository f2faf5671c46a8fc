import { BUNDLE_LIMITS } from '../limits.ts';
import { type BundleInput, pathOf } from './bundle-input.ts';
import { checkPaths, normalizePath } from './bundle-path.ts';
import { checkFileCount, checkUnpackedSize } from './content-limits.ts';
import { packFile } from './pack-file.ts';
import { Pause } from './pause.ts';

/** Files that come one after the other, and are packed at once, so that memory holds them packed. */
export class PackedUpload {
  readonly #inputs: BundleInput[] = [];
  readonly #pause = new Pause();
  #size = 0;

  /**
   * Before its content is read.
   *
   * @returns the normalised path.
   * @throws SkerryError `too-large`; `unprocessable` for the path.
   */
  announce(path: string, size: number): string {
    checkFileCount(this.#inputs.length + 1);
    checkUnpackedSize(this.#size + size, BUNDLE_LIMITS.bodyUnpackedBytes);
    return normalizePath(path);
  }

  /** @param path normalised. */
  async add(path: string, bytes: Uint8Array): Promise<void> {
    await this.#pause.whenLong();
    const { facts, data } = await packFile(path, bytes);
    this.#size += bytes.length;
    // Otherwise it may keep something much larger in memory that it is a part of.
    const own = data.buffer.byteLength > 2 * data.length ? Uint8Array.from(data) : data;
    this.#inputs.push({ kind: 'packed', facts, read: async () => own });
  }

  /** @throws SkerryError `unprocessable` where paths cannot be beside each other. */
  end(): readonly BundleInput[] {
    checkPaths(this.#inputs.map(pathOf));
    return this.#inputs;
  }
}
