import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LastGoodStore } from '../config/live-config.ts';

/** Keeps last good configurations as files of a folder, which is made when it is needed. */
export function lastGoodFolder(folder: string): LastGoodStore {
  const fileOf = (name: string) => path.join(folder, `${encodeURIComponent(name)}.json`);
  return {
    async load(name) {
      try {
        return await readFile(fileOf(name), 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    async save(name, text) {
      await mkdir(folder, { recursive: true });
      // Whoever reads meanwhile sees the old file or the new one, never half of it.
      const draft = `${fileOf(name)}.${process.pid}.tmp`;
      // For nobody else: there may be secrets in it.
      await writeFile(draft, text, { mode: 0o600 });
      await rename(draft, fileOf(name));
    },
  };
}
