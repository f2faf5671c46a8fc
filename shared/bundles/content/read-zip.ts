import { crc32, createInflateRaw } from 'node:zlib';
import { unprocessable } from '../../platform/errors.ts';
import type { BundleInput, Content, RandomAccess } from './bundle-input.ts';
import { checkPaths, normalizePath, quoted } from './bundle-path.ts';
import { through } from './content-chunks.ts';
import { checkFileCount, checkRatio, checkUnpackedSize } from './content-limits.ts';
import { inflateWhole } from './inflate-whole.ts';
import { WHOLE_BYTES } from './pack-file.ts';
import { type DirectoryEntry, readZipDirectory, type ZipDirectory } from './zip-directory.ts';
import { LOCAL_HEADER, LOCAL_HEADER_BYTES, METHODS } from './zip-records.ts';

const IS_ENCRYPTED = 0x0001;
const HAS_DATA_DESCRIPTOR = 0x0008;

const FILE_TYPES = 0o170000;
const REGULAR_FILE = 0o100000;
const FOLDER = 0o040000;

/** An entry whose place is known. */
interface PlacedEntry extends DirectoryEntry {
  /** Where the next thing begins: it ends before. */
  readonly end: number;
}

/**
 * The files of a zip that somebody else made. Everything that its directory says is checked before any content is read; content is read
 * when its turn comes, and must then be as the directory says.
 *
 * @throws SkerryError `unprocessable` for what is no zip, is damaged, or says what cannot be; `too-large`; and what the source throws.
 */
export async function readZip(
  source: RandomAccess,
  limits: { readonly unpackedBytes: number },
): Promise<readonly BundleInput[]> {
  const files = placed(await readZipDirectory(source)).filter((entry) => !entry.name.endsWith('/'));
  checkFileCount(files.length);
  const size = files.reduce((sum, file) => sum + file.size, 0);
  checkRatio(size, source.size);
  checkUnpackedSize(size, limits.unpackedBytes);

  const inputs = files.map((entry) => ({
    kind: 'raw' as const,
    path: normalizePath(entry.name),
    size: entry.size,
    read: () => readEntry(source, entry),
  }));
  checkPaths(inputs.map((input) => input.path));
  return inputs;
}

/** Checks each entry by itself, and that none lies within another: a little content could be many files then. */
function placed({ entries, start: directoryStart }: ZipDirectory): PlacedEntry[] {
  const sorted = entries.toSorted((a, b) => a.start - b.start);
  return sorted.map((entry, index) => {
    checkEntry(entry);
    const end = sorted[index + 1]?.start ?? directoryStart;
    if (entry.start + LOCAL_HEADER_BYTES + entry.nameBytes.length + entry.packedSize > end) {
      throw damaged(entry, 'overlaps what comes behind it');
    }
    return { ...entry, end };
  });
}

function checkEntry(entry: DirectoryEntry): void {
  const { name, flags, method, size, externalAttributes } = entry;
  // What cannot be decoded has become this.
  if (name.includes('\ufffd')) throw damaged(entry, 'has a name that is not valid UTF-8');
  if ((flags & IS_ENCRYPTED) !== 0) {
    throw damaged(entry, 'is encrypted', 'Make the zip without a password.');
  }
  if (method !== METHODS.stored && method !== METHODS.deflated) {
    throw damaged(
      entry,
      `is packed by method ${method}`,
      'Make the zip with "deflate", as all programs can.',
    );
  }
  const type = (externalAttributes >>> 16) & FILE_TYPES;
  if (type !== 0 && type !== (name.endsWith('/') ? FOLDER : REGULAR_FILE)) {
    throw damaged(entry, 'is neither a file nor a folder', 'Put the file itself instead of a link to it.');
  }
  if (name.endsWith('/') && size !== 0) throw damaged(entry, 'is a folder with content');
}

async function readEntry(source: RandomAccess, entry: PlacedEntry): Promise<Content> {
  if (entry.packedSize <= WHOLE_BYTES && entry.size <= WHOLE_BYTES) return readWhole(source, entry);
  const header = await source.read(entry.start, entry.start + LOCAL_HEADER_BYTES + entry.nameBytes.length);
  const start = dataStart(entry, header);
  return checked(entry, unpacked(entry, source.stream(start, start + entry.packedSize)));
}

/** In one read, unless the local header is unusually long. */
async function readWhole(source: RandomAccess, entry: PlacedEntry): Promise<Uint8Array> {
  const usual = LOCAL_HEADER_BYTES + entry.nameBytes.length + 100 + entry.packedSize;
  const bytes = await source.read(entry.start, Math.min(entry.start + usual, entry.end));
  const start = dataStart(entry, bytes);
  const end = start + entry.packedSize;
  const isThere = end <= entry.start + bytes.length;
  const packed = isThere
    ? bytes.subarray(start - entry.start, end - entry.start)
    : await source.read(start, end);

  const content = await inflated(entry, packed);
  checkContent(entry, content.length, crc32(content));
  return content;
}

async function inflated(entry: PlacedEntry, packed: Uint8Array): Promise<Uint8Array> {
  if (entry.method === METHODS.stored) return packed;
  try {
    return await inflateWhole(packed, entry.size);
  } catch (error) {
    throw faultOf(entry, error);
  }
}

async function* unpacked(entry: PlacedEntry, packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (entry.method === METHODS.stored) {
    yield* packed;
    return;
  }
  try {
    yield* through(createInflateRaw(), packed);
  } catch (error) {
    throw faultOf(entry, error);
  }
}

async function* checked(entry: PlacedEntry, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  let crc = 0;
  for await (const piece of content) {
    bytes += piece.length;
    if (bytes > entry.size) break;
    crc = crc32(piece, crc);
    yield piece;
  }
  checkContent(entry, bytes, crc);
}

function checkContent(entry: PlacedEntry, bytes: number, crc: number): void {
  if (bytes !== entry.size) throw damaged(entry, 'has not the size that the directory of the zip says');
  if (crc !== entry.crc32) throw damaged(entry, 'has not the checksum that the directory of the zip says');
}

/** Where the content begins. @param header the local one, and perhaps what comes behind it. */
function dataStart(entry: PlacedEntry, header: Uint8Array): number {
  const { nameBytes, start, end, packedSize } = entry;
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  const nameEnd = LOCAL_HEADER_BYTES + nameBytes.length;
  if (bytes.length < nameEnd || bytes.readUInt32LE(0) !== LOCAL_HEADER) {
    throw damaged(entry, 'is not where the directory of the zip says');
  }
  const isSame =
    bytes.readUInt16LE(8) === entry.method &&
    bytes.readUInt16LE(26) === nameBytes.length &&
    bytes.subarray(LOCAL_HEADER_BYTES, nameEnd).equals(nameBytes) &&
    ((entry.flags & HAS_DATA_DESCRIPTOR) !== 0 || saysTheSame(bytes, entry));
  if (!isSame) throw damaged(entry, 'is another one by its own header than by the directory of the zip');
  const dataBegins = start + nameEnd + bytes.readUInt16LE(28);
  if (dataBegins + packedSize > end) throw damaged(entry, 'overlaps what comes behind it');
  return dataBegins;
}

function saysTheSame(header: Buffer, { crc32, packedSize, size }: PlacedEntry): boolean {
  const isOrElsewhere = (said: number, known: number) => said === known || said === 0xffff_ffff;
  return (
    header.readUInt32LE(14) === crc32 &&
    isOrElsewhere(header.readUInt32LE(18), packedSize) &&
    isOrElsewhere(header.readUInt32LE(22), size)
  );
}

/** Faults of the packed content are the caller's; all others pass as they are. */
function faultOf(entry: PlacedEntry, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_BUFFER_TOO_LARGE') {
    return damaged(entry, 'has not the size that the directory of the zip says');
  }
  return typeof code === 'string' && code.startsWith('Z_') ? damaged(entry, 'cannot be unpacked') : error;
}

function damaged(entry: DirectoryEntry, what: string, fix = 'Make the zip anew, and upload it as it is.') {
  return unprocessable(`The entry ${quoted(entry.name)} ${what}.`, { field: 'body', fix });
}
