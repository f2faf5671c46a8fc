import type { Readable } from 'node:stream';

/** A file that is to become part of a version. */
export interface SourceFile {
  /** In the bundle. */
  readonly path: string;
  /** Bytes; of a file that has another number when it is read, half may be old and half new. */
  readonly size: number;
  open(): Readable;
}
