import { createHash } from 'node:crypto';
import { openPromise } from 'yauzl';
import type { BundleFile } from '../../bundles/bundle-version.ts';
import { contentDigest } from './content-digest.ts';
import type { PackedArchive, PackOptions } from './pack-files.ts';

/**
 * What a zip that somebody else has made holds.
 *
 * @throws Error where it is no zip.
 */
export async function readArchive(
  archive: string,
  { onProgress = () => {}, signal }: PackOptions = {},
): Promise<PackedArchive> {
  const zip = await openPromise(archive);
  const files: BundleFile[] = [];
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName.endsWith('/')) continue;
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of await zip.openReadStreamPromise(entry)) {
      signal?.throwIfAborted();
      hash.update(chunk);
      size += chunk.byteLength;
    }
    onProgress(entry.compressedSize);
    files.push({ path: normalize(entry.fileName), size, sha256: hash.digest('hex') });
  }
  return { files, digest: contentDigest(files) };
}

/** As Skerry does. */
function normalize(path: string): string {
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  return segments.join('/').normalize('NFC');
}
