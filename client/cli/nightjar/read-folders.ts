import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { SourceFile } from '../bundle/source-file.ts';
import { ColorWithoutService, DESCRIPTOR, readDescriptor } from './descriptor.ts';
import { type Activity, pathOf, type Subject } from './entity.ts';

/** Nightjar's limit for the content of one entity. */
const MOST_BYTES = 4 * 1024 * 1024;

/** A file for a subject. */
export interface EntityFile extends SourceFile {
  readonly subject: Subject;
  /** Its folder, and its name there. */
  readonly folder: string;
  readonly name: string;
}

export interface ReadFoldersOptions {
  readonly activity: Activity;
  /** Told what is left out. */
  readonly warn: (text: string) => void;
}

/**
 * What a folder of Nightjar's manager holds: each folder in it that has a descriptor is whom its files are for. What begins with a dot and
 * folders in them are left alone.
 *
 * @returns the files, under their paths in the bundle.
 * @throws Error where a file is none that Nightjar takes.
 */
export async function readFolders(
  folder: string,
  options: ReadFoldersOptions,
): Promise<readonly EntityFile[]> {
  const found = new Map<string, { subject: Subject; folder: string; name: string; file: string }>();
  for (const name of await visibleNames(folder)) {
    const inner = path.join(folder, name);
    const subject = await subjectOf(inner, options);
    if (subject === undefined) continue;
    for (const purpose of await purposesIn(inner, options)) {
      const file = path.join(inner, purpose);
      const place = pathOf({ subject, purpose: purpose.normalize('NFC') });
      const other = found.get(place)?.file;
      if (other !== undefined) options.warn(`${other} and ${file} are the same entity: the latter counts`);
      found.set(place, { subject, folder: name, name: purpose, file });
    }
  }
  return await Promise.all(
    [...found].map(async ([place, { file, ...facts }]) => ({ ...facts, ...(await sourceOf(place, file)) })),
  );
}

async function visibleNames(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => !name.startsWith('.')).sort();
}

async function subjectOf(
  folder: string,
  { activity, warn }: ReadFoldersOptions,
): Promise<Subject | undefined> {
  const file = path.join(folder, DESCRIPTOR[activity]);
  if (!(await isFile(file))) return undefined;
  try {
    return readDescriptor(activity, await readFile(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof ColorWithoutService) throw new Error(`${file} ${reason} Nothing is pushed.`);
    warn(`${file} is left out with its folder: ${reason}`);
    return undefined;
  }
}

async function purposesIn(
  folder: string,
  { activity, warn }: ReadFoldersOptions,
): Promise<readonly string[]> {
  const purposes: string[] = [];
  for (const name of await visibleNames(folder)) {
    if (name === DESCRIPTOR[activity] || !(await isFile(path.join(folder, name)))) continue;
    if (isPurpose(activity, name)) purposes.push(name);
    else warn(`${path.join(folder, name)} is left out: it is named like the descriptor`);
  }
  return purposes;
}

/** Whether a file of this name can lie beside a descriptor, on any file system, and is not overlooked there. */
export function isPurpose(activity: Activity, name: string): boolean {
  return !name.startsWith('.') && name.toLowerCase() !== DESCRIPTOR[activity];
}

async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // A link that leads nowhere is no file either.
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}

/** Looks whether Nightjar takes a file. */
async function sourceOf(place: string, file: string): Promise<SourceFile> {
  const { size } = await stat(file);
  if (size >= MOST_BYTES) {
    throw new Error(`${file} is too large: Nightjar's files are below 4 MiB. Nothing is pushed.`);
  }
  if (!isUtf8(await readFile(file))) throw new Error(`${file} is no UTF-8 text. Nothing is pushed.`);
  return { path: place, size, open: () => createReadStream(file) };
}
