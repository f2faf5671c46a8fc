import type { Json } from '../../store/content.ts';
import type { Content, DatabaseEntry } from './database-entry.ts';

/** A key that is written in several places; the last by path order counts. */
export interface Repetition {
  readonly store: string;
  readonly key: string;
  /** In path order; the last one counts. A file that writes a key twice is named twice. */
  readonly files: readonly string[];
}

export interface MergedFiles {
  readonly stores: ReadonlyMap<string, Content>;
  readonly repetitions: readonly Repetition[];
}

/** What all files together say, for each store. */
export function mergeFiles(files: ReadonlyMap<string, readonly DatabaseEntry[]>): MergedFiles {
  const stores = new Map<string, Map<string, Json>>();
  const filesOfKey = new Map<string, { store: string; key: string; files: string[] }>();
  for (const file of [...files.keys()].sort()) {
    for (const { store, key, value } of files.get(file) ?? []) {
      const content = stores.get(store) ?? new Map<string, Json>();
      stores.set(store, content.set(key, value));
      const id = JSON.stringify([store, key]);
      const known = filesOfKey.get(id) ?? { store, key, files: [] };
      known.files.push(file);
      filesOfKey.set(id, known);
    }
  }
  return { stores, repetitions: [...filesOfKey.values()].filter((known) => known.files.length > 1) };
}
