import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import type { BundleFile } from '../../bundles/bundle-version.ts';
import { contentDigest } from './content-digest.ts';
import type { SourceFile } from './source-file.ts';

export interface PackedArchive {
  /** What it holds, as it was read. */
  readonly files: readonly BundleFile[];
  readonly digest: string;
}

export interface PackOptions {
  /** Told how many more bytes of the files are packed. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes a zip of files, one after the other, so that it takes no more memory for large ones than for small ones.
 *
 * @param archive the file that is written.
 */
export async function packFiles(
  sources: readonly SourceFile[],
  archive: string,
  { onProgress = () => {}, signal }: PackOptions = {},
): Promise<PackedArchive> {
  const zip = new ZipFile();
  const files: BundleFile[] = [];
  let open: Readable | undefined;
  const output = zip.outputStream as Readable;
  // Whatever goes wrong in the zip ends its stream, which its writer is waiting for.
  zip.on('error', (error) => output.destroy(error));
  for (const source of sources) {
    zip.addReadStreamLazy(source.path, { mtime: EPOCH, forceDosTimestamp: true }, (give) => {
      open = source.open();
      open.on('error', (error) => zip.emit('error', error));
      const hash = createHash('sha256');
      let size = 0;
      open.on('data', (chunk: Buffer) => {
        hash.update(chunk);
        size += chunk.byteLength;
        onProgress(chunk.byteLength);
        // One that grows may have no end.
        if (size > source.size) zip.emit('error', changed(source));
      });
      open.on('end', () => {
        if (size < source.size) zip.emit('error', changed(source));
        files.push({ path: source.path, size, sha256: hash.digest('hex') });
      });
      give(undefined, open);
    });
  }
  zip.end();
  try {
    await pipeline(output, createWriteStream(archive, { flags: 'wx' }), { ...(signal && { signal }) });
  } finally {
    if (open !== undefined && !open.closed) await finished(open.destroy()).catch(() => {});
  }
  return { files, digest: contentDigest(files) };
}

/** No time of their own: files of the same content make the same archive. */
const EPOCH = new Date(1980, 0, 1);

function changed({ path }: SourceFile): Error {
  return new Error(`${path} was changed while it was read. Push again when nobody writes there.`);
}
