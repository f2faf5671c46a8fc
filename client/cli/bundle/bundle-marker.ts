import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** The file in a folder that says which version was pulled there. It is never pushed. */
export const MARKER_NAME = '.skerry-bundle.json';

/** Also of one that was being written when somebody was killed. */
export function isMarkerName(name: string): boolean {
  return name === MARKER_NAME || name === `${MARKER_NAME}~`;
}

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

/** After a push from a folder that was pulled once: what it holds is in Skerry, so that a pull may replace it. */
export async function updateMarker(folder: string, marker: BundleMarker): Promise<void> {
  if ((await readMarker(folder)) === undefined) return;
  // The version stands, also where the folder cannot be written; a pull then tells that it was changed.
  await writeMarker(folder, marker).catch(() => {});
}

function isMarker(value: unknown): value is BundleMarker {
  const { bundle, version, digest } = (value ?? {}) as Partial<Record<keyof BundleMarker, unknown>>;
  return typeof bundle === 'string' && typeof version === 'number' && typeof digest === 'string';
}
