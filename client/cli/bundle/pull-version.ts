import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BundleReader } from '../../bundles/bundle-reader.ts';
import type { Output } from '../output.ts';
import { writeMarker } from './bundle-marker.ts';
import { contentDigest } from './content-digest.ts';
import { type InspectOptions, inspectFolder } from './pulled-folder.ts';
import { repairFolder, replaceFolder } from './replace-folder.ts';
import { unpackArchive } from './unpack-archive.ts';

export interface PullOptions extends InspectOptions {
  readonly output: Pick<Output, 'progress'>;
}

/**
 * Makes a folder hold what a version holds, and nothing else; it is replaced as a whole.
 *
 * @returns whether it did not hold that already.
 * @throws ForeignFolder where it holds what was not pulled there.
 */
export async function pullVersion(
  reader: BundleReader,
  folder: string,
  options: PullOptions,
): Promise<boolean> {
  await repairFolder(folder);
  const pulled = await inspectFolder(folder, options);
  const marker = { bundle: reader.bundle, version: reader.version, digest: reader.facts.digest };
  if (pulled?.digest === marker.digest) {
    await writeMarker(folder, marker);
    return false;
  }
  await replaceFolder(
    folder,
    async (fresh, temporary) => {
      await fetchVersion(reader, fresh, path.join(temporary, 'archive'), options);
      await writeMarker(fresh, marker);
    },
    async (place) => void (await inspectFolder(place, options)),
  );
  return true;
}

/**
 * Writes the files of a version into an empty folder, each as the version has it.
 *
 * @param archive a place for a file that may stay behind.
 */
export async function fetchVersion(
  reader: BundleReader,
  folder: string,
  archive: string,
  { output, signal }: Pick<PullOptions, 'output' | 'signal'>,
): Promise<void> {
  const { archiveSize, size, digest } = reader.facts;
  if (contentDigest(reader.files) !== digest) {
    throw new Error(`The files of version ${reader.version} are not those that its digest stands for.`);
  }
  const download = output.progress('downloading', archiveSize);
  try {
    const body = reader.archive({ signal });
    await pipeline(
      Readable.fromWeb(body),
      atMost(archiveSize),
      download.count(),
      createWriteStream(archive, { flags: 'wx' }),
      { signal },
    );
  } finally {
    download.end();
  }
  const unpacking = output.progress('unpacking', size);
  try {
    await unpackArchive(archive, reader.files, folder, { onProgress: unpacking.advance, signal });
  } finally {
    unpacking.end();
  }
}

/** Lets so many bytes through: an archive that never ends must not fill the disk. */
function atMost(bytes: number) {
  return async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    let received = 0;
    for await (const chunk of source) {
      received += chunk.byteLength;
      if (received > bytes)
        throw new Error(`The archive is larger than the ${bytes} bytes that it should have.`);
      yield chunk;
    }
  };
}
