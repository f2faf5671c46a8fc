import { promisify } from 'node:util';
import { createDeflateRaw, deflateRaw, deflateRawSync } from 'node:zlib';
import type { Content } from './bundle-input.ts';
import { collect, inChunksOf, through } from './content-chunks.ts';
import { ContentFacts } from './content-facts.ts';
import type { PackedFacts } from './manifest.ts';

/**
 * Up to so many bytes a file is packed in one go, and stored as it is where packing gains nothing. A larger one is always deflated, so
 * that it need not be known as a whole before its first byte is written.
 */
export const WHOLE_BYTES = 1024 * 1024;

/** Deflate is given pieces of this size, so that the same content becomes the same bytes however it came. */
const CHUNK_BYTES = 64 * 1024;

/** Below this, handing the work to another thread takes longer than the work. */
const SYNC_BYTES = 16 * 1024;

const LEVEL = 6;

const deflateWhole = promisify(deflateRaw);

/**
 * The bytes that stand for a file in an archive: the same whenever the content is.
 *
 * @param path normalised.
 */
export async function packFile(
  path: string,
  bytes: Uint8Array,
): Promise<{ facts: PackedFacts; data: Uint8Array }> {
  if (bytes.length > WHOLE_BYTES) {
    const content = new ContentFacts();
    const data = await collect(deflate(bytes, content));
    return { facts: { path, ...content.end(), method: 'deflated', packedSize: data.length }, data };
  }
  const content = new ContentFacts();
  content.add(bytes);
  // Pieces of output that are no larger than need be: thousands of small files would each take the 16 KB of zlib's own.
  const options = { level: LEVEL, chunkSize: Math.min(bytes.length + 64, CHUNK_BYTES) };
  const deflated =
    bytes.length <= SYNC_BYTES ? deflateRawSync(bytes, options) : await deflateWhole(bytes, options);
  const isSmaller = deflated.length < bytes.length;
  const data = isSmaller ? deflated : bytes;
  const method = isSmaller ? 'deflated' : 'stored';
  return { facts: { path, ...content.end(), method, packedSize: data.length }, data };
}

/** Content as it comes, deflated. @param facts is told all of it. */
export function deflate(content: Content, facts: ContentFacts): AsyncGenerator<Uint8Array> {
  const packer = createDeflateRaw({ level: LEVEL, chunkSize: CHUNK_BYTES });
  return through(packer, told(facts, inChunksOf(CHUNK_BYTES, content)));
}

async function* told(facts: ContentFacts, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    facts.add(piece);
    yield piece;
  }
}
