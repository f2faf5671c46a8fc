import { isUtf8 } from 'node:buffer';
import type { Entry, RandomAccessReader, ZipFile } from 'yauzl';
import { SkerryError, unprocessable } from '../../platform/errors.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import type { RandomAccess } from './bundle-input.ts';
import { checkFileCount } from './content-limits.ts';
import { END_BYTES, UTF8_NAMES } from './zip-records.ts';

/** So many bytes of the directory are read at a time. */
const WINDOW_BYTES = 256 * 1024;
/** More than the directory of the largest bundle has, unless it is padded. */
const MAX_DIRECTORY_BYTES = 32 * 1024 * 1024;

const ZIP64_END = 0x0606_4b50;

export interface DirectoryEntry {
  readonly name: string;
  /** The name as it stands there. */
  readonly nameBytes: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc32: number;
  readonly packedSize: number;
  readonly size: number;
  readonly externalAttributes: number;
  /** Where the local header begins. */
  readonly start: number;
}

export interface ZipDirectory {
  readonly entries: readonly DirectoryEntry[];
  /** Where it begins. */
  readonly start: number;
}

/**
 * What a zip says about its entries.
 *
 * @throws SkerryError `unprocessable` for what is no zip or is cut, `too-large` for too many entries; and what the source throws.
 */
export async function readZipDirectory(source: RandomAccess): Promise<ZipDirectory> {
  const { default: yauzl } = await import('yauzl');
  const reader = new (directoryReader(yauzl.RandomAccessReader))(source);
  try {
    const zip = await yauzl.fromRandomAccessReaderPromise(reader, source.size, { decodeStrings: false });
    // Half of them may be folders.
    if (zip.entryCount > 2 * BUNDLE_LIMITS.files) checkFileCount(zip.entryCount);
    const start = cursorOf(zip);
    const entries: DirectoryEntry[] = [];
    for await (const entry of zip.eachEntry()) {
      entries.push(
        directoryEntry(entry, (flags) =>
          yauzl.getFileNameLowLevel(flags, entry.fileNameRaw, entry.extraFields, true),
        ),
      );
    }
    await checkEnd(zip, source);
    return { entries, start };
  } catch (error) {
    if (error === reader.fault || error instanceof SkerryError) throw error;
    throw noZip(error instanceof Error ? error.message : String(error));
  }
}

function directoryEntry(entry: Entry, nameBy: (flags: number) => string): DirectoryEntry {
  // Names without the mark of UTF-8 are in the code page of old PCs; but what is valid UTF-8 is that, as macOS writes it.
  const isMarkedOrValid = isUtf8(entry.fileNameRaw) ? UTF8_NAMES : 0;
  return {
    name: nameBy(entry.generalPurposeBitFlag | isMarkedOrValid),
    nameBytes: Uint8Array.from(entry.fileNameRaw),
    flags: entry.generalPurposeBitFlag,
    method: entry.compressionMethod,
    crc32: entry.crc32,
    packedSize: entry.compressedSize,
    size: entry.uncompressedSize,
    externalAttributes: entry.externalFileAttributes,
    start: entry.relativeOffsetOfLocalHeader,
  };
}

/** The directory must end where the end of the zip begins: else it has entries that are not counted, which other programs show. */
async function checkEnd(zip: ZipFile, source: RandomAccess): Promise<void> {
  const directoryEnd = cursorOf(zip);
  const end = source.size - END_BYTES - zip.comment.length;
  if (directoryEnd === end) return;
  const next =
    directoryEnd + 4 <= end ? Buffer.from(await source.read(directoryEnd, directoryEnd + 4)) : undefined;
  if (next?.readUInt32LE(0) !== ZIP64_END) throw noZip('its directory does not end where the zip ends');
}

/** The types take it for a boolean. */
function cursorOf(zip: ZipFile): number {
  return Number(zip.readEntryCursor);
}

function noZip(why: string): SkerryError {
  return unprocessable(`This is no zip, or a damaged one: ${why.replace(/\.$/, '').slice(0, 200)}.`, {
    field: 'body',
    fix: 'Make the zip anew, and upload it as it is.',
  });
}

/** The class over yauzl's own, which is loaded at the first use only: entry by entry it reads a few bytes, which come from a window. */
function directoryReader(Base: typeof RandomAccessReader) {
  return class extends Base {
    /** What the source threw, as opposed to faults of the zip. */
    fault: unknown;
    readonly #source: RandomAccess;
    #window: { readonly start: number; readonly bytes: Uint8Array } = { start: 0, bytes: new Uint8Array() };
    #readBytes = 0;

    constructor(source: RandomAccess) {
      super();
      this.#source = source;
    }

    override read(
      buffer: Buffer,
      offset: number,
      length: number,
      position: number,
      callback: (error: Error | null, bytesRead?: number) => void,
    ): void {
      this.#bytesAt(position, length).then(
        (bytes) => {
          buffer.set(bytes, offset);
          callback(null, bytes.length);
        },
        (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
      );
    }

    async #bytesAt(position: number, length: number): Promise<Uint8Array> {
      const end = position + length;
      if (!Number.isSafeInteger(end) || end > this.#source.size) throw new Error('it is cut');
      this.#readBytes += length;
      if (this.#readBytes > MAX_DIRECTORY_BYTES) throw new Error('its directory is too large');
      const { start, bytes } = this.#window;
      if (position < start || end > start + bytes.length) await this.#moveWindow(position, end);
      return this.#window.bytes.subarray(position - this.#window.start, end - this.#window.start);
    }

    async #moveWindow(position: number, end: number): Promise<void> {
      const windowEnd = Math.min(this.#source.size, Math.max(end, position + WINDOW_BYTES));
      try {
        this.#window = { start: position, bytes: await this.#source.read(position, windowEnd) };
      } catch (error) {
        this.fault = error;
        throw error;
      }
    }
  };
}
