import { createHash, hash } from 'node:crypto';
import { createInflateRaw } from 'node:zlib';
import { quoted } from './bundle-path.ts';
import { through } from './content-chunks.ts';
import { inflateWhole } from './inflate-whole.ts';
import type { PackedFacts } from './manifest.ts';

const PIECE_BYTES = 128 * 1024;

/**
 * The content of a file of a stored archive.
 *
 * @throws Error where it is not what the manifest says: then storage is damaged.
 */
export async function unpackFile(file: PackedFacts, packed: Uint8Array): Promise<Uint8Array> {
  const bytes = file.method === 'stored' ? packed : await inflate(file, packed);
  if (bytes.length !== file.size || hash('sha256', bytes) !== file.sha256) throw damaged(file);
  return bytes;
}

/**
 * The content of a large file as it comes, in constant memory. Its last piece comes only when all of it is what the manifest says: so
 * who has so many bytes as the file has the file.
 *
 * @throws Error where it is not what the manifest says.
 */
export async function* unpackStream(
  file: PackedFacts,
  packed: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const content =
    file.method === 'stored' ? packed : through(createInflateRaw({ chunkSize: PIECE_BYTES }), packed);
  const sha256 = createHash('sha256');
  let bytes = 0;
  let last: Uint8Array | undefined;
  for await (const piece of content) {
    bytes += piece.length;
    if (bytes > file.size) throw damaged(file);
    sha256.update(piece);
    if (last !== undefined) yield last;
    last = piece;
  }
  if (bytes !== file.size || sha256.digest('hex') !== file.sha256) throw damaged(file);
  if (last !== undefined) yield last;
}

async function inflate(file: PackedFacts, packed: Uint8Array): Promise<Uint8Array> {
  try {
    return await inflateWhole(packed, file.size);
  } catch (error) {
    throw damaged(file, error);
  }
}

function damaged({ path, sha256 }: PackedFacts, cause?: unknown): Error {
  return new Error(`The stored content of ${quoted(path)} is not that of its SHA-256 ${sha256}.`, { cause });
}
