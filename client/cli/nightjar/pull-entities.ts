import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { BundleReader } from '../../bundles/bundle-reader.ts';
import { writeMarker } from '../bundle/bundle-marker.ts';
import { fetchVersion } from '../bundle/pull-version.ts';
import { digestOfFolder, type InspectOptions, inspectFolder } from '../bundle/pulled-folder.ts';
import { repairFolder, replaceFolder } from '../bundle/replace-folder.ts';
import type { Output } from '../output.ts';
import { arrangeFolders } from './arrange-folders.ts';
import type { Activity, Entity, EntityFilter } from './entity.ts';

export interface PullEntitiesOptions extends InspectOptions {
  readonly activity: Activity;
  readonly filter: EntityFilter;
  readonly output: Pick<Output, 'note' | 'progress'>;
}

/**
 * Makes a folder hold the entities of a version, as Nightjar's manager lays them out, and nothing else; it is replaced as a whole.
 *
 * @throws ForeignFolder where it holds what was not pulled there.
 */
export async function pullEntities(
  reader: BundleReader,
  folder: string,
  { activity, filter, force, output, signal }: PullEntitiesOptions,
): Promise<readonly Entity[]> {
  const warn = (text: string) => output.note(`skerry: ${text}`);
  const confirm = async (place: string) => void (await inspectFolder(place, { force, signal }));
  await repairFolder(folder);
  await confirm(folder);
  let entities: readonly Entity[] = [];
  await replaceFolder(
    folder,
    async (fresh, temporary) => {
      const source = path.join(temporary, 'version');
      await mkdir(source);
      await fetchVersion(reader, source, path.join(temporary, 'archive'), { output, signal });
      const paths = reader.files.map((file) => file.path);
      entities = await arrangeFolders({ activity, paths, source, target: fresh, filter, warn });
      // By what it holds now, which another pull may replace.
      const digest = (await digestOfFolder(fresh)) ?? '';
      await writeMarker(fresh, { bundle: reader.bundle, version: reader.version, digest });
    },
    confirm,
  );
  return entities;
}
