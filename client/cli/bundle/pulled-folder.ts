import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { BundleFile } from '../../bundles/bundle-version.ts';
import { type BundleMarker, MARKER_NAME, readMarker } from './bundle-marker.ts';
import { contentDigest } from './content-digest.ts';

/** Told as it is: a folder that may hold what is nowhere else. */
export class ForeignFolder extends Error {
  override readonly name = 'ForeignFolder';
}

/**
 * Looks whether a folder may be replaced: because there is none, it is empty, or it holds what was pulled there and nothing else.
 *
 * @returns the marker of what was pulled.
 * @throws ForeignFolder where it may not.
 */
export async function inspectFolder(folder: string): Promise<BundleMarker | undefined> {
  const facts = await lstat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (facts === undefined) return undefined;
  if (!facts.isDirectory()) throw new ForeignFolder(`${folder} is no folder.`);
  if ((await readdir(folder)).length === 0) return undefined;
  const marker = await readMarker(folder);
  if (marker === undefined) {
    throw new ForeignFolder(
      `${folder} holds files that were not pulled there. --force replaces it with all that it holds.`,
    );
  }
  if ((await digestOfFolder(folder)) !== marker.digest) {
    throw new ForeignFolder(
      `${folder} was changed since version ${marker.version} of ${marker.bundle} was pulled there. Push it, or move it away; --force replaces it with all that it holds.`,
    );
  }
  return marker;
}

/** @returns undefined where it holds anything but files and folders. */
export async function digestOfFolder(folder: string): Promise<string | undefined> {
  const files: BundleFile[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(folder, file).replaceAll(path.sep, '/');
    if (name === MARKER_NAME || entry.isDirectory()) continue;
    if (!entry.isFile()) return undefined;
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of createReadStream(file)) {
      hash.update(chunk);
      size += chunk.byteLength;
    }
    files.push({ path: name.normalize('NFC'), size, sha256: hash.digest('hex') });
  }
  return contentDigest(files);
}
