import { createGunzip } from 'node:zlib';
import type { ParsedTarEntry } from 'modern-tar';
import { SkerryError, unprocessable } from '../../platform/errors.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import type { BundleInput } from './bundle-input.ts';
import { quoted } from './bundle-path.ts';
import { collect, inChunksOf, through } from './content-chunks.ts';
import { checkRatio, checkUnpackedSize } from './content-limits.ts';
import { PackedUpload } from './packed-upload.ts';

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
  return readEntries(inChunksOf(CHUNK_BYTES, bytes));
}

/** The files of a tar.gz, packed. @throws as `readTar`, and `unprocessable` for what unpacks to very much. */
export async function readTarGz(bytes: Uint8Array): Promise<readonly BundleInput[]> {
  return readEntries(gunzipped(bytes));
}

async function* gunzipped(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  let unpackedBytes = 0;
  for await (const piece of through(
    createGunzip({ chunkSize: CHUNK_BYTES }),
    inChunksOf(CHUNK_BYTES, bytes),
  )) {
    unpackedBytes += piece.length;
    checkRatio(unpackedBytes, bytes.length);
    checkUnpackedSize(unpackedBytes - FRAME_BYTES, BUNDLE_LIMITS.bodyUnpackedBytes);
    yield piece;
  }
}

async function readEntries(tar: AsyncIterable<Uint8Array>): Promise<readonly BundleInput[]> {
  const { createTarDecoder } = await import('modern-tar');
  const upload = new PackedUpload();
  try {
    for await (const entry of ReadableStream.from(tar).pipeThrough(createTarDecoder({ strict: true }))) {
      await readEntry(entry, upload);
    }
  } catch (error) {
    if (error instanceof SkerryError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw unprocessable(`This is no tar, or a damaged one: ${why.replace(/\.$/, '').slice(0, 200)}.`, {
      field: 'body',
      fix: 'Make the tar anew, and upload it as it is.',
    });
  }
  return upload.end();
}

async function readEntry({ header, body }: ParsedTarEntry, upload: PackedUpload): Promise<void> {
  const { name, type, size, pax = {} } = header;
  if (type === 'directory') {
    await body.cancel();
    return;
  }
  if (type !== 'file') {
    throw refused(
      name,
      `is a ${type}`,
      'Put the file itself instead; tar follows links with "--dereference".',
    );
  }
  if (Object.keys(pax).some((key) => key.startsWith('GNU.sparse.'))) {
    throw refused(name, 'is sparse', 'Make the tar without "--sparse".');
  }
  // What cannot be decoded has become this.
  if (name.includes('\ufffd')) throw refused(name, 'has a name that is not valid UTF-8', 'Rename the file.');
  const path = upload.announce(name, size);
  await upload.add(path, await collect(body));
}

function refused(name: string, what: string, fix: string) {
  return unprocessable(`The entry ${quoted(name)} ${what}.`, { field: 'body', fix });
}
