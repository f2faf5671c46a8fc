import type { Readable } from 'node:stream';

/** A file that is to become part of a version. */
export interface SourceFile {
  /** In the bundle. */
  readonly path: string;
  /** Bytes, as far as is known before it is read. */
  readonly size: number;
  open(): Readable;
}
