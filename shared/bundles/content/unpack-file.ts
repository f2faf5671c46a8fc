import { hash } from 'node:crypto';
import { quoted } from './bundle-path.ts';
import { inflateWhole } from './inflate-whole.ts';
import type { PackedFacts } from './manifest.ts';

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
  try {
    return await inflateWhole(packed, file.size);
  } catch (error) {
    throw damaged(file, error);
  }
}

function damaged({ path, sha256 }: PackedFacts, cause?: unknown): Error {
  return new Error(`The stored content of ${quoted(path)} is not that of its SHA-256 ${sha256}.`, { cause });
}
