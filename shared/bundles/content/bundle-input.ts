import type { PackedFacts } from './manifest.ts';

/** Bytes, whole or as they come. Whoever reads a stream to its end knows that it was complete; else it throws. */
export type Content = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * A file that is to become part of a version: `raw` is still to be hashed and packed, `packed` goes into the zip as it is,
 * because this program packed it. `read` begins anew at each call, and is called when the file's turn has come.
 */
export type BundleInput =
  | { readonly kind: 'raw'; readonly path: string; readonly size: number; read(): Promise<Content> }
  | { readonly kind: 'packed'; readonly facts: PackedFacts; read(): Promise<Content> };

/** The content of a version as one request carries it. */
export interface Upload {
  readonly inputs: readonly BundleInput[];
  /** Those that a multipart body brings along. */
  readonly message?: string;
  readonly labels?: readonly string[];
}

export function pathOf(input: BundleInput): string {
  return input.kind === 'raw' ? input.path : input.facts.path;
}

/** Any part of something stored, such as an uploaded zip: in memory or in a blob. */
export interface RandomAccess {
  /** Bytes. */
  readonly size: number;
  /** @param end the first byte that is not read. */
  read(start: number, end: number): Promise<Uint8Array>;
  stream(start: number, end: number): AsyncIterable<Uint8Array>;
}

/** Where an archive is written, from its beginning to its end. */
export interface ArchiveSink {
  append(bytes: Uint8Array): Promise<void>;
  /**
   * Leaves a place for bytes that are known only after those behind them, and has exactly that length: the header of a file that
   * is packed while it is read.
   */
  reserve(bytes: number): Promise<{ fill(bytes: Uint8Array): Promise<void> }>;
}
