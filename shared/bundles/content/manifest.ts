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
