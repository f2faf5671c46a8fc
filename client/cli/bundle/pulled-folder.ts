import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { BundleFile } from '../../bundles/bundle-version.ts';
import { type BundleMarker, isMarkerName, readMarker } from './bundle-marker.ts';
import { contentDigest } from './content-digest.ts';

/** Told as it is: a folder that may hold what is nowhere else. */
export class ForeignFolder extends Error {
  override readonly name = 'ForeignFolder';
}

export interface InspectOptions {
  /** Lets any folder be replaced. */
  readonly force?: boolean | undefined;
  readonly signal: AbortSignal;
}

/**
 * Looks whether a folder may be replaced: because there is none, it is empty, or it holds what was pulled there and nothing else.
 *
 * @returns the marker of what was pulled.
 * @throws ForeignFolder where it may not.
 */
export async function inspectFolder(
  folder: string,
  { force = false, signal }: InspectOptions,
): Promise<BundleMarker | undefined> {
  for (;;) {
    signal.throwIfAborted();
    const facts = await factsOf(folder);
    if (facts === undefined) return undefined;
    try {
      return await inspect(folder, facts);
    } catch (error) {
      // Another pull has put another folder there in between.
      const now = await factsOf(folder);
      if (now?.ino !== facts.ino || now.birthtimeMs !== facts.birthtimeMs) continue;
      if (force && error instanceof ForeignFolder) return undefined;
      throw error;
    }
  }
}

async function factsOf(folder: string): Promise<Stats | undefined> {
  try {
    return await lstat(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function inspect(folder: string, facts: Stats): Promise<BundleMarker | undefined> {
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
      `${folder} was changed since version ${marker.version} of ${marker.bundle} was pulled there, or pushed from there. Push it, or move it away; --force replaces it with all that it holds.`,
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
    if (isMarkerName(name) || entry.isDirectory()) continue;
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
