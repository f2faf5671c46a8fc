import { promisify } from 'node:util';
import { inflateRaw, inflateRawSync } from 'node:zlib';

/** Below this, handing the work to another thread takes longer than the work. */
const SYNC_BYTES = 64 * 1024;

/** The smallest that zlib takes. */
const MIN_CHUNK_BYTES = 64;

const inflateAside = promisify(inflateRaw);

/**
 * Inflates what is in memory, to so many bytes.
 *
 * @throws Error of zlib for damaged content, and for more than that (`ERR_BUFFER_TOO_LARGE`); less is for the caller to see.
 */
export async function inflateWhole(packed: Uint8Array, size: number): Promise<Uint8Array> {
  const options = {
    maxOutputLength: Math.max(size, 1),
    // All in one piece. Where that is full to the last byte, zlib asks for another.
    chunkSize: Math.max(size + 1, MIN_CHUNK_BYTES),
  };
  return size <= SYNC_BYTES ? inflateRawSync(packed, options) : await inflateAside(packed, options);
}
