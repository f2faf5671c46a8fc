import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryArchive } from '../../../shared/bundles/content/memory-archive.ts';
import { WindowedArchive } from '../../../shared/bundles/drafts/windowed-archive.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';
import { WatchedArchive } from './watched-archive.ts';

const KIB = 1024;
const MIB = KIB * KIB;

function watched(size: number) {
  const bytes = randomBytes(size);
  const archive = new WatchedArchive(new MemoryArchive(bytes));
  return { bytes, archive, windowed: new WindowedArchive(archive) };
}

describe('an archive that is read by windows', () => {
  it('gives the bytes that were asked for, wherever they are', async () => {
    const { bytes, windowed } = watched(5 * MIB + 3);
    const place = fc.nat(bytes.length);
    const length = fc.oneof(fc.nat(100), fc.nat(3 * MIB));
    await fc.assert(
      fc.asyncProperty(place, length, async (start, count) => {
        const end = Math.min(start + count, bytes.length);
        const read = await windowed.read(start, end);
        expect(Buffer.compare(read, bytes.subarray(start, end))).toBe(0);
      }),
      { seed: printedSeed('windowed archive'), numRuns: runs(100, 5_000) },
    );
  });

  it('takes one request a window for parts that come in their order, however many are read at a time', async () => {
    const { archive, windowed } = watched(4 * MIB);
    const parts = Array.from({ length: 4 * KIB }, (_, index) =>
      windowed.read(index * KIB, (index + 1) * KIB),
    );
    await Promise.all(parts);
    expect(archive.requests).toHaveLength(4);
  });

  it('asks for the parts alone where windows do not pay, since parts come in no order', async () => {
    const { archive, windowed } = watched(40 * MIB);
    for (let round = 0; round < 5; round++) {
      for (let window = 0; window < 40; window++) await windowed.read(window * MIB, window * MIB + KIB);
    }
    const bytes = archive.requests.reduce((sum, [start, end]) => sum + end - start, 0);
    expect(bytes).toBeLessThanOrEqual(26 * MIB);
    expect(archive.requests.length).toBeGreaterThan(100);
  });

  it('asks again for a window that could not be read', async () => {
    const { bytes, archive, windowed } = watched(10);
    const read = archive.read.bind(archive);
    archive.read = async () => Promise.reject(new Error('Lost.'));
    await expect(windowed.read(0, 5)).rejects.toThrow('Lost.');
    archive.read = read;
    expect(Buffer.compare(await windowed.read(0, 5), bytes.subarray(0, 5))).toBe(0);
  });
});
