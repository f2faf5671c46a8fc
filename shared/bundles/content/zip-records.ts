import type { ManifestFile, PackedFacts } from './manifest.ts';

/*
 * What a zip says about its files (APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16), always with the same words: 1980-01-01, UTF-8
 * names, sizes before the content, no extra fields. Limits keep every number below what needs zip64.
 */

/** What a local header begins with. */
export const LOCAL_HEADER = 0x04034b50;
/** Without the name and what is behind it. */
export const LOCAL_HEADER_BYTES = 30;
const CENTRAL_HEADER_BYTES = 46;
/** Without a comment. */
export const END_BYTES = 22;
/** Deflate. */
const VERSION_NEEDED = 20;
/** Unix, so that the file mode below is read. */
const VERSION_MADE_BY = (3 << 8) | VERSION_NEEDED;
/** The flag of names in UTF-8. */
export const UTF8_NAMES = 0x0800;
export const METHODS = { stored: 0, deflated: 8 } as const;
/** 1980-01-01. */
const DATE = 0x0021;
/** A regular file with mode 644. */
const ATTRIBUTES = (0o100644 << 16) >>> 0;

export function localHeaderBytes(path: string): number {
  return LOCAL_HEADER_BYTES + Buffer.byteLength(path);
}

export function localHeader(file: PackedFacts): Uint8Array {
  const bytes = Buffer.alloc(localHeaderBytes(file.path));
  bytes.writeUInt32LE(LOCAL_HEADER, 0);
  writeFacts(bytes, 4, file);
  bytes.write(file.path, LOCAL_HEADER_BYTES);
  return bytes;
}

export function centralHeader(file: ManifestFile): Uint8Array {
  const bytes = Buffer.alloc(CENTRAL_HEADER_BYTES + Buffer.byteLength(file.path));
  bytes.writeUInt32LE(0x02014b50, 0);
  bytes.writeUInt16LE(VERSION_MADE_BY, 4);
  writeFacts(bytes, 6, file);
  bytes.writeUInt32LE(ATTRIBUTES, 38);
  bytes.writeUInt32LE(file.offset - localHeaderBytes(file.path), 42);
  bytes.write(file.path, CENTRAL_HEADER_BYTES);
  return bytes;
}

/** @param directory where the central headers are. */
export function endOfDirectory(files: number, directory: { start: number; bytes: number }): Uint8Array {
  const bytes = Buffer.alloc(END_BYTES);
  bytes.writeUInt32LE(0x06054b50, 0);
  bytes.writeUInt16LE(files, 8);
  bytes.writeUInt16LE(files, 10);
  bytes.writeUInt32LE(directory.bytes, 12);
  bytes.writeUInt32LE(directory.start, 16);
  return bytes;
}

/** The part that both headers have. */
function writeFacts(bytes: Buffer, at: number, { path, method, crc32, packedSize, size }: PackedFacts): void {
  bytes.writeUInt16LE(VERSION_NEEDED, at);
  bytes.writeUInt16LE(UTF8_NAMES, at + 2);
  bytes.writeUInt16LE(METHODS[method], at + 4);
  bytes.writeUInt16LE(DATE, at + 8);
  bytes.writeUInt32LE(crc32, at + 10);
  bytes.writeUInt32LE(packedSize, at + 14);
  bytes.writeUInt32LE(size, at + 18);
  bytes.writeUInt16LE(Buffer.byteLength(path), at + 22);
}
