import { createGzip } from 'node:zlib';
import type { RandomAccess } from './bundle-input.ts';
import { ByteReader } from './byte-reader.ts';
import { inChunksOf, through } from './content-chunks.ts';
import type { Manifest } from './manifest.ts';
import { Pause } from './pause.ts';
import { tarEnd, tarHeader, tarPadding } from './tar-header.ts';
import { unpackFile } from './unpack-file.ts';

const LEVEL = 6;
const CHUNK_BYTES = 64 * 1024;

/** Byte 9 of a gzip says on which system it was made. */
const SYSTEM_AT = 9;
const UNKNOWN_SYSTEM = 255;

/**
 * The content of a stored archive as a tar.gz: the same bytes whenever the content is the same. The archive is read once, from its
 * beginning, and as fast as the answer is.
 *
 * @throws Error where the archive is not as its manifest says.
 */
export async function* toTarGz(manifest: Manifest, archive: RandomAccess): AsyncGenerator<Uint8Array> {
  const packer = createGzip({ level: LEVEL, chunkSize: CHUNK_BYTES });
  let isFirst = true;
  for await (const piece of through(packer, inChunksOf(CHUNK_BYTES, tar(manifest, archive)))) {
    if (isFirst) piece[SYSTEM_AT] = UNKNOWN_SYSTEM;
    isFirst = false;
    yield piece;
  }
}

async function* tar({ files, archiveSize }: Manifest, archive: RandomAccess): AsyncGenerator<Uint8Array> {
  const input = new ByteReader(archive.stream(0, archiveSize), () => new Error('The stored archive is cut.'));
  const pause = new Pause();
  let position = 0;
  try {
    for (const file of files) {
      await pause.whenLong();
      await input.skip(file.offset - position);
      const packed = await input.take(file.packedSize);
      position = file.offset + file.packedSize;
      yield tarHeader(file.path, file.size);
      yield await unpackFile(file, packed);
      yield tarPadding(file.size);
    }
    yield tarEnd();
  } finally {
    await input.close();
  }
}
