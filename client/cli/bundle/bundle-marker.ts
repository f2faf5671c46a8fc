import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** The file in a folder that says which version was pulled there. It is never pushed. */
export const MARKER_NAME = '.skerry-bundle.json';

export interface BundleMarker {
  readonly bundle: string;
  readonly version: number;
  readonly digest: string;
}

/** @returns undefined where there is none that can be understood. */
export async function readMarker(folder: string): Promise<BundleMarker | undefined> {
  try {
    const marker: unknown = JSON.parse(await readFile(path.join(folder, MARKER_NAME), 'utf8'));
    return isMarker(marker) ? marker : undefined;
  } catch {
    return undefined;
  }
}

export async function writeMarker(folder: string, { bundle, version, digest }: BundleMarker): Promise<void> {
  const file = path.join(folder, MARKER_NAME);
  await writeFile(`${file}~`, `${JSON.stringify({ bundle, version, digest }, null, 2)}\n`);
  await rename(`${file}~`, file);
}

function isMarker(value: unknown): value is BundleMarker {
  const { bundle, version, digest } = (value ?? {}) as Partial<Record<keyof BundleMarker, unknown>>;
  return typeof bundle === 'string' && typeof version === 'number' && typeof digest === 'string';
}
