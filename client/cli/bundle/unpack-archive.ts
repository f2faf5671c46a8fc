import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import type { BundleFile } from '../../bundles/bundle-version.ts';
import type { PackOptions } from './pack-files.ts';
import { assertSafePaths } from './safe-paths.ts';

/**
 * Writes the files of a zip into an empty folder, if they are just those that a version has. Nothing is ever written outside of the
 * folder, or over a file.
 *
 * @throws Error where the archive holds anything else than it should.
 */
export async function unpackArchive(
  archive: string,
  files: readonly BundleFile[],
  folder: string,
  { onProgress = () => {}, signal }: PackOptions = {},
): Promise<void> {
  assertSafePaths(files.map((file) => file.path));
  const missing = new Map(files.map((file) => [file.path, file]));
  const zip = await openPromise(archive, { strictFileNames: true });
  for await (const entry of zip.eachEntry()) {
    const file = missing.get(entry.fileName);
    if (file === undefined)
      throw new Error(`The archive holds ${JSON.stringify(entry.fileName)}, which the version has not.`);
    missing.delete(file.path);
    // All segments are plain names: this stays below the folder.
    const place = path.join(folder, ...file.path.split('/'));
    await mkdir(path.dirname(place), { recursive: true });
    const options = { ...(signal && { signal }) };
    await pipeline(
      await zip.openReadStreamPromise(entry),
      verify(file, onProgress),
      createWriteStream(place, { flags: 'wx' }),
      options,
    );
  }
  const [lost] = missing.keys();
  if (lost !== undefined) throw new Error(`The archive lacks ${lost}, which the version has.`);
}

/** Lets content through; fails at its end, or before, where it is not that of the file. */
function verify({ path: name, size, sha256 }: BundleFile, onProgress: (bytes: number) => void): Transform {
  const hash = createHash('sha256');
  let received = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      received += chunk.byteLength;
      if (received > size) return done(damaged());
      hash.update(chunk);
      onProgress(chunk.byteLength);
      done(null, chunk);
    },
    flush(done) {
      done(received === size && hash.digest('hex') === sha256 ? null : damaged());
    },
  });

  function damaged(): Error {
    return new Error(`${name} is not in the archive as the version has it.`);
  }
}
