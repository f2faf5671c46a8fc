export interface BundleFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** What is known of a version besides its files. */
export interface BundleVersion {
  readonly version: number;
  /** `sha256:` and the hexadecimal SHA-256 of a line `<sha256> <size> <path>\n` for each file, sorted by the UTF-8 bytes of the paths. */
  readonly digest: string;
  readonly author: string;
  readonly message: string;
  readonly labels: readonly string[];
  readonly fileCount: number;
  /** Bytes of all files. */
  readonly size: number;
  /** Bytes of the zip. */
  readonly archiveSize: number;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly revision: number;
  /** The version whose content was published again. */
  readonly rollbackOf?: number;
}

export interface BundleVersionWithFiles extends BundleVersion {
  /** Sorted by the UTF-8 bytes of their paths. */
  readonly files: readonly BundleFile[];
}

export interface PublishedVersion extends BundleVersion {
  /** There was nothing new to publish: this is the version that has the content already. */
  readonly unchanged?: boolean;
}

/** What differs between two versions. */
export interface BundleDifference {
  readonly from: number;
  readonly to: number;
  readonly added: readonly BundleFile[];
  readonly removed: readonly BundleFile[];
  readonly changed: readonly ChangedFile[];
}

export interface ChangedFile {
  readonly path: string;
  readonly from: Omit<BundleFile, 'path'>;
  readonly to: Omit<BundleFile, 'path'>;
  /** Unified, of text. */
  readonly diff?: string;
  /** Why there is no `diff`. */
  readonly omitted?: 'binary' | 'too large';
}
