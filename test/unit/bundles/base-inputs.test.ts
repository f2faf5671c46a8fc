import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { BundleInput, RandomAccess } from '../../../shared/bundles/content/bundle-input.ts';
import { collect } from '../../../shared/bundles/content/content-chunks.ts';
import type { Manifest } from '../../../shared/bundles/content/manifest.ts';
import { MemoryArchive } from '../../../shared/bundles/content/memory-archive.ts';
import { writeZip } from '../../../shared/bundles/content/write-zip.ts';
import { baseInputs } from '../../../shared/bundles/drafts/base-inputs.ts';
import { WatchedArchive } from './watched-archive.ts';

const MIB = 1024 * 1024;

/** As if they were packed already: how is not looked at, and packing noise takes its time. */
async function archiveOf(files: Readonly<Record<string, Uint8Array>>) {
  const archive = new MemoryArchive();
  const inputs = Object.entries(files).map(([path, bytes]): BundleInput => {
    const sizes = { size: bytes.length, packedSize: bytes.length };
    const facts = { path, ...sizes, sha256: '', crc32: 0, method: 'stored', isText: false } as const;
    return { kind: 'packed', facts, read: async () => bytes };
  });
  const manifest = await writeZip(inputs, archive);
  return { manifest, archive: new WatchedArchive(archive), bytes: archive.bytes };
}

async function written(manifest: Manifest, archive: RandomAccess, isWanted = (_path: string) => true) {
  const target = new MemoryArchive();
  await writeZip(baseInputs(manifest, archive, isWanted), target);
  return target.bytes;
}

describe('the files that a draft began with', () => {
  it('become the same archive again, by one request for all that lie near each other', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [`file-${index}`, randomBytes(index)]),
    );
    const { manifest, archive, bytes } = await archiveOf(files);
    expect(Buffer.compare(await written(manifest, archive), bytes)).toBe(0);
    expect(archive.requests).toHaveLength(1);
  });

  it('leave out what is not wanted, and read over small gaps only', async () => {
    const { manifest, archive } = await archiveOf({
      a: randomBytes(10),
      b: randomBytes(MIB),
      c: randomBytes(10),
      d: randomBytes(10),
      e: randomBytes(10),
    });
    const isWanted = (path: string) => path !== 'b' && path !== 'd';
    expect(baseInputs(manifest, archive, isWanted).map(({ facts }) => facts.path)).toEqual(['a', 'c', 'e']);
    await written(manifest, archive, isWanted);
    expect(archive.requests).toHaveLength(2);
  });

  it('are read in several requests when they are large, the largest as they come', async () => {
    const { manifest, archive, bytes } = await archiveOf({
      a: randomBytes(3 * MIB),
      b: randomBytes(3 * MIB),
      c: randomBytes(10),
      d: randomBytes(5 * MIB),
    });
    expect(Buffer.compare(await written(manifest, archive), bytes)).toBe(0);
    expect(archive.requests).toHaveLength(3);
  });

  it('can be read again, each one anew', async () => {
    const { manifest, archive } = await archiveOf({ a: randomBytes(10), b: randomBytes(10) });
    const inputs = baseInputs(manifest, archive, () => true);
    const readAll = () => Promise.all(inputs.map(async (input) => await collect(await input.read())));
    expect(await readAll()).toEqual(await readAll());
    expect(archive.requests).toHaveLength(2);
  });
});
