import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { inflateRaw, inflateRawSync } from 'node:zlib';
import { quoted } from './bundle-path.ts';
import type { PackedFacts } from './manifest.ts';

/** Below this, handing the work to another thread takes longer than the work. */
const SYNC_BYTES = 64 * 1024;

const inflateWhole = promisify(inflateRaw);

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

async function inflate(file: PackedFacts, packed: Uint8Array): Promise<Uint8Array> {
  const options = { maxOutputLength: Math.max(file.size, 1) };
  try {
    return file.size <= SYNC_BYTES ? inflateRawSync(packed, options) : await inflateWhole(packed, options);
  } catch (error) {
    throw damaged(file, error);
  }
}

function damaged({ path, sha256 }: PackedFacts, cause?: unknown): Error {
  return new Error(`The stored content of ${quoted(path)} is not that of its SHA-256 ${sha256}.`, { cause });
}
