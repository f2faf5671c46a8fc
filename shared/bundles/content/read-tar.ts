import { createGunzip } from 'node:zlib';
import { SkerryError } from '../../platform/errors.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import type { BundleInput } from './bundle-input.ts';
import { inChunksOf, through } from './content-chunks.ts';
import { checkRatio, checkUnpackedSize } from './content-limits.ts';
import { PackedUpload } from './packed-upload.ts';
import { damaged, tarFiles } from './tar-entries.ts';

/** A tar is read in pieces of this size. */
const CHUNK_BYTES = 64 * 1024;
/** What a tar may have beside the files' content: for each a header, long names, times, and what fills up a block. */
const FRAME_BYTES = BUNDLE_LIMITS.files * 4096;

/**
 * The files of a tar, packed.
 *
 * @throws SkerryError `unprocessable` for what is no tar, is damaged or holds links; `too-large`.
 */
export async function readTar(bytes: Uint8Array): Promise<readonly BundleInput[]> {
  return readFiles(inChunksOf(CHUNK_BYTES, bytes));
}

/** The files of a tar.gz, packed. @throws as `readTar`, and `unprocessable` for what unpacks to very much. */
export async function readTarGz(bytes: Uint8Array): Promise<readonly BundleInput[]> {
  return readFiles(gunzipped(bytes));
}

async function* gunzipped(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  let unpackedBytes = 0;
  try {
    const packed = inChunksOf(CHUNK_BYTES, bytes);
    for await (const piece of through(createGunzip({ chunkSize: CHUNK_BYTES }), packed)) {
      unpackedBytes += piece.length;
      checkRatio(unpackedBytes, bytes.length);
      checkUnpackedSize(unpackedBytes - FRAME_BYTES, BUNDLE_LIMITS.bodyUnpackedBytes);
      yield piece;
    }
  } catch (error) {
    if (error instanceof SkerryError) throw error;
    throw damaged('it cannot be unpacked', error);
  }
}

async function readFiles(tar: AsyncIterable<Uint8Array>): Promise<readonly BundleInput[]> {
  const upload = new PackedUpload();
  for await (const { name, size, read } of tarFiles(tar)) {
    const path = upload.announce(name, size);
    await upload.add(path, await read());
  }
  return upload.end();
}
