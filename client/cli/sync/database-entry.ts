import type { Json } from '../../store/content.ts';

/** One key of a file, and where it belongs. */
export interface DatabaseEntry {
  readonly store: string;
  /** Within the store. */
  readonly key: string;
  readonly value: Json;
}

/** What one store should hold, or holds. */
export type Content = ReadonlyMap<string, Json>;

/** A file that is no file database; the message says where and why. Nothing of it is used. */
export class UndecodableFile extends Error {
  override readonly name = 'UndecodableFile';
  readonly file: string;

  constructor(file: string, reason: string) {
    super(`${file}: ${reason}`);
    this.file = file;
  }
}
