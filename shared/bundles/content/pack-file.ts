import { promisify } from 'node:util';
import { createDeflateRaw, deflateRaw, deflateRawSync } from 'node:zlib';
import type { Content } from './bundle-input.ts';
import { collect, inChunksOf } from './content-chunks.ts';
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
  const deflated =
    bytes.length <= SYNC_BYTES
      ? deflateRawSync(bytes, { level: LEVEL })
      : await deflateWhole(bytes, { level: LEVEL });
  const isSmaller = deflated.length < bytes.length;
  const data = isSmaller ? deflated : bytes;
  const method = isSmaller ? 'deflated' : 'stored';
  return { facts: { path, ...content.end(), method, packedSize: data.length }, data };
}

/** Content as it comes, deflated. @param facts is told all of it. */
export async function* deflate(content: Content, facts: ContentFacts): AsyncGenerator<Uint8Array> {
  const packer = createDeflateRaw({ level: LEVEL, chunkSize: CHUNK_BYTES });
  const closed = new Promise<never>((_resolve, reject) => {
    packer.once('close', () => reject(new Error('Nobody reads what is packed.')));
  });
  closed.catch(() => undefined);

  // Each piece is packed before the next is given, and the end is told by itself: the calls of deflate are always the same.
  const feed = async () => {
    for await (const chunk of inChunksOf(CHUNK_BYTES, content)) {
      facts.add(chunk);
      const packed = new Promise<void>((resolve, reject) => {
        packer.write(chunk, (error) => (error ? reject(error) : resolve()));
      });
      await Promise.race([packed, closed]);
    }
    packer.end();
  };
  feed().catch((error: unknown) => packer.destroy(error instanceof Error ? error : new Error(String(error))));
  yield* packer;
}
