import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DESCRIPTOR, writeDescriptor } from './descriptor.ts';
import { type Activity, type Entity, type EntityFilter, entityAt, folderOf, isWanted } from './entity.ts';
import { folderNames } from './folder-names.ts';
import { isPurpose } from './read-folders.ts';

export interface ArrangeOptions {
  readonly activity: Activity;
  /** Of the files, as they are in the bundle. */
  readonly paths: readonly string[];
  /** Where the files lie by their paths. */
  readonly source: string;
  /** An empty folder. */
  readonly target: string;
  readonly filter: EntityFilter;
  /** Told what is left out. */
  readonly warn: (text: string) => void;
}

/**
 * Moves the files of a bundle into folders as Nightjar's manager has them, one for each of whom files are for, with a descriptor that
 * {@link readFolders} reads: what it reads there are the same files under the same paths.
 *
 * @returns what was moved.
 */
export async function arrangeFolders(options: ArrangeOptions): Promise<readonly Entity[]> {
  const { activity, source, target, filter, warn } = options;
  const found = findEntities(options);
  const wanted = found.filter(({ entity }) => isWanted(entity, filter));
  // Named among all that there are, so that a filter never changes the name of a folder.
  const subjects = new Map(found.map(({ entity: { subject } }) => [folderOf(subject), subject]));
  const names = folderNames([...subjects.values()]);
  const made = new Set<string>();
  for (const { place, entity } of wanted) {
    const inner = path.join(target, names.get(folderOf(entity.subject)) ?? '');
    if (!made.has(inner)) {
      await mkdir(inner);
      await writeFile(path.join(inner, DESCRIPTOR[activity]), writeDescriptor(activity, entity.subject));
      made.add(inner);
    }
    await rename(path.join(source, place), path.join(inner, entity.purpose));
  }
  if (found.length === 0) warn('no file of this version is where Nightjar has files');
  return wanted.map(({ entity }) => entity);
}

function findEntities({ activity, paths, warn }: ArrangeOptions) {
  return paths.flatMap((place) => {
    const entity = entityAt(activity, place);
    if (entity !== undefined && isPurpose(activity, entity.purpose)) return [{ place, entity }];
    warn(`${place} is left out: it is no entity of ${activity}`);
    return [];
  });
}
