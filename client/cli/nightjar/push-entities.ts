import { createHash } from 'node:crypto';
import type { BundleFile, PublishedVersion } from '../../bundles/bundle-version.ts';
import { updateMarker } from '../bundle/bundle-marker.ts';
import { contentDigest } from '../bundle/content-digest.ts';
import { type PushOptions, pushFiles } from '../bundle/push-path.ts';
import { DESCRIPTOR, writeDescriptor } from './descriptor.ts';
import type { Activity } from './entity.ts';
import { type EntityFile, type ReadFoldersOptions, readFolders } from './read-folders.ts';

/**
 * Publishes a folder as Nightjar's manager has it.
 *
 * @returns how many files there are, too.
 * @throws Error where there is none, or one that Nightjar does not take.
 */
export async function pushEntities(
  bundle: string,
  folder: string,
  { activity, warn, ...options }: PushOptions & ReadFoldersOptions,
): Promise<{ readonly version: PublishedVersion; readonly count: number }> {
  const files = await readFolders(folder, { activity, warn });
  if (files.length === 0) {
    throw new Error(
      `There is nothing to push: no folder in ${folder} has a ${DESCRIPTOR[activity]} and a file beside it.`,
    );
  }
  const { version, files: packed } = await pushFiles(bundle, files, options);
  const digest = contentDigest(asPulled(activity, files, packed));
  await updateMarker(folder, { bundle, version: version.version, digest });
  return { version, count: files.length };
}

/** What the folder holds if it holds nothing that a pull would not write again; whatever else is in it is not in Skerry. */
function asPulled(
  activity: Activity,
  files: readonly EntityFile[],
  packed: readonly BundleFile[],
): readonly BundleFile[] {
  const contents = new Map(packed.map((file) => [file.path, file]));
  const subjects = new Map(files.map(({ folder, subject }) => [folder, subject]));
  return [
    ...files.flatMap(({ path, folder, name }) => {
      const content = contents.get(path);
      return content === undefined ? [] : [{ ...content, path: `${folder}/${name}`.normalize('NFC') }];
    }),
    ...[...subjects].map(([folder, subject]) => {
      const text = writeDescriptor(activity, subject);
      return {
        path: `${folder}/${DESCRIPTOR[activity]}`.normalize('NFC'),
        size: Buffer.byteLength(text),
        sha256: createHash('sha256').update(text).digest('hex'),
      };
    }),
  ];
}
