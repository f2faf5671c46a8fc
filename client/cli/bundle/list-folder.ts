import { createReadStream } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { isMarkerName } from './bundle-marker.ts';
import { byPath } from './content-digest.ts';
import type { SourceFile } from './source-file.ts';

/** What Skerry takes in a version; links to folders could make more of them than there are. */
const MOST_FILES = 10_000;

/**
 * The files of a folder and of all below it, as a bundle has them, in its order. `.git` is left out, and so is the marker of a pull. Symbolic
 * links are followed where they stay inside of the folder.
 *
 * @throws Error that names what cannot be part of a bundle.
 */
export async function listFolder(folder: string): Promise<SourceFile[]> {
  const root = await realpath(folder);
  const files: SourceFile[] = [];
  await visit(root, '', [root]);
  return files.sort(byPath);

  /** @param ancestors the real paths of the folders that are being visited. */
  async function visit(place: string, prefix: string, ancestors: readonly string[]): Promise<void> {
    for (const entry of await readdir(place, { withFileTypes: true })) {
      if (entry.name === '.git' || (prefix === '' && isMarkerName(entry.name))) continue;
      const shown = `${prefix}${entry.name}`;
      // What stands there cannot be opened by it.
      if (shown.includes('\ufffd')) throw new Error(`${shown} is no name in UTF-8: rename it.`);
      const file = path.join(place, entry.name);
      const real = entry.isSymbolicLink() ? await follow(file, shown) : file;
      const facts = await stat(real);
      if (facts.isDirectory()) {
        if (ancestors.includes(real)) throw new Error(`${shown} is a link to a folder that it is in.`);
        await visit(real, `${shown}/`, [...ancestors, real]);
      } else if (facts.isFile()) {
        if (files.length === MOST_FILES) {
          throw new Error(
            `The folder holds more than ${MOST_FILES} files, which is all that a version may have.`,
          );
        }
        // macOS gives names in another form than everybody else.
        const name = shown.normalize('NFC');
        files.push({ path: name, size: facts.size, open: () => createReadStream(real) });
      } else {
        throw new Error(`${shown} is neither a file nor a folder: a bundle holds files.`);
      }
    }
  }

  async function follow(link: string, shown: string): Promise<string> {
    const real = await realpath(link).catch(() => {
      throw new Error(`${shown} is a link that leads nowhere.`);
    });
    if (real === root || real.startsWith(root + path.sep)) return real;
    throw new Error(`${shown} is a link that leads out of the folder: put what it means in its place.`);
  }
}
