/** What a bundle may be like (docs/api.md, "Bundles"). All sizes are in bytes. */
export const BUNDLE_LIMITS = {
  /** Of a version. */
  files: 10_000,
  /** Of a path, as UTF-8. */
  pathBytes: 512,
  /** Of one segment of a path, as UTF-8: what common file systems take. */
  segmentBytes: 255,
  /** Of one request body: what is larger goes straight to storage. */
  bodyBytes: 50 * 1024 * 1024,
  /** Unpacked, of all files of an archive that comes through the API. */
  bodyUnpackedBytes: 256 * 1024 * 1024,
  /** Of an archive that is uploaded to a draft. */
  uploadBytes: 2 * 1024 * 1024 * 1024,
  /** Unpacked, of all files of a version. */
  unpackedBytes: 2 * 1024 * 1024 * 1024,
  /** How much larger content may be than the archive that it came in, once it has more than `ratioFreeBytes`. */
  ratio: 200,
  ratioFreeBytes: 8 * 1024 * 1024,
  /** Larger archives are not sent through the API: the answer says where storage has them. */
  downloadBytes: 16 * 1024 * 1024,
  /** Larger files are read with their archive only. */
  fileReadBytes: 50 * 1024 * 1024,
  messageCharacters: 2_000,
  labels: 16,
  channels: 32,
} as const;
