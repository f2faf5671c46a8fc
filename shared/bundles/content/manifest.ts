import { createHash } from 'node:crypto';

/** A file of a bundle, as everybody sees it. */
export interface BundleFile {
  /** Normalised (bundle-path.ts). */
  readonly path: string;
  /** Bytes, unpacked. */
  readonly size: number;
  /** Hexadecimal, of the unpacked content. */
  readonly sha256: string;
}

/** A file as it stands in a zip, packed. */
export interface PackedFacts extends BundleFile {
  /** Of the unpacked content. */
  readonly crc32: number;
  /** Packed only where that makes it smaller. */
  readonly method: 'deflated' | 'stored';
  /** Bytes, packed. */
  readonly packedSize: number;
  /** Whether the content is UTF-8 without NUL, which decides its content type and whether differences are shown as text. */
  readonly isText: boolean;
}

/** A file of a stored archive. */
export interface ManifestFile extends PackedFacts {
  /** Where its packed bytes begin in the zip, behind its local header. */
  readonly offset: number;
}

/** What is in an archive; stored beside it, so that one file is one ranged read. */
export interface Manifest {
  readonly digest: string;
  /** In the order of their paths' UTF-8 bytes, which is their order in the zip. */
  readonly files: readonly ManifestFile[];
  /** Bytes of all files, unpacked. */
  readonly size: number;
  /** Bytes of the zip. */
  readonly archiveSize: number;
}

/** Without how it is stored. */
export function bundleFileOf({ path, size, sha256 }: BundleFile): BundleFile {
  return { path, size, sha256 };
}

/** `sha256:` and the SHA-256, in hexadecimal, of a line `<sha256> <size> <path>` for each file, in the order of their paths. */
export function digestOf(files: Iterable<BundleFile>): string {
  const hash = createHash('sha256');
  for (const { sha256, size, path } of [...files].sort((a, b) => comparePaths(a.path, b.path))) {
    hash.update(`${sha256} ${size} ${path}\n`);
  }
  return `sha256:${hash.digest('hex')}`;
}

/** The order of the paths' UTF-8 bytes, which is that of their code points. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const difference = rank(a.charCodeAt(index)) - rank(b.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Half of a character beyond U+FFFF belongs behind all that are within. */
function rank(codeUnit: number): number {
  return codeUnit >= 0xd800 && codeUnit < 0xe000 ? codeUnit + 0x1_0000 : codeUnit;
}
