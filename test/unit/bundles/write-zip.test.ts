import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import yauzl from 'yauzl';
import type { BundleInput } from '../../../shared/bundles/content/bundle-input.ts';
import { collect } from '../../../shared/bundles/content/content-chunks.ts';
import { digestOf } from '../../../shared/bundles/content/manifest.ts';
import { MemoryArchive } from '../../../shared/bundles/content/memory-archive.ts';
import { packFile, WHOLE_BYTES } from '../../../shared/bundles/content/pack-file.ts';
import { unpackFile, unpackStream } from '../../../shared/bundles/content/unpack-file.ts';
import { writeZip } from '../../../shared/bundles/content/write-zip.ts';
import { BUNDLE_LIMITS } from '../../../shared/bundles/index.ts';
import { printedSeed, runs, seededRandom } from '../../integration/seeded-runs.ts';

type Files = Readonly<Record<string, Uint8Array>>;

const seed = printedSeed('write-zip');
const random = seededRandom(seed);

function noise(bytes: number): Buffer {
  return createHash('shake256', { outputLength: Math.floor(bytes) })
    .update(String(random()))
    .digest();
}

/** One letter is no noise, and yet long matches of it are not all there is. */
function text(bytes: number): Buffer {
  return Buffer.concat([noise(bytes / 20), Buffer.alloc(bytes, 'words and words, größer\n')]).subarray(
    0,
    bytes,
  );
}

async function* pieces(bytes: Uint8Array, size: () => number) {
  for (let at = 0; at < bytes.length; ) {
    const end = at + Math.max(1, size());
    yield bytes.subarray(at, end);
    at = end;
  }
}

function raw(path: string, bytes: Uint8Array, stream?: () => number): BundleInput {
  return {
    kind: 'raw',
    path,
    size: bytes.length,
    read: async () => (stream === undefined ? bytes : pieces(bytes, stream)),
  };
}

async function packed(path: string, bytes: Uint8Array, stream?: () => number): Promise<BundleInput> {
  const { facts, data } = await packFile(path, bytes);
  return { kind: 'packed', facts, read: async () => (stream === undefined ? data : pieces(data, stream)) };
}

async function zip(inputs: readonly BundleInput[]) {
  const archive = new MemoryArchive();
  const manifest = await writeZip(inputs, archive);
  expect(archive.size).toBe(manifest.archiveSize);
  return { archive, manifest };
}

async function zipOf(files: Files) {
  return zip(Object.entries(files).map(([path, bytes]) => raw(path, bytes)));
}

const FILES: Files = {
  'b/größe.txt': text(3000),
  'b/\ue000': text(10),
  'b/🐟': text(10),
  'a.bin': noise(2000),
  empty: new Uint8Array(),
  'large.txt': text(2 * WHOLE_BYTES + 77),
  'large.bin': noise(WHOLE_BYTES + 1),
  'limit.txt': text(WHOLE_BYTES),
};

describe('the archive of a version', () => {
  it('tells in its manifest where every file is', async () => {
    const { archive, manifest } = await zipOf(FILES);
    expect(manifest.files.map((file) => file.path)).toEqual(
      Object.keys(FILES).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    expect(manifest.digest).toBe(digestOf(manifest.files.toReversed()));
    for (const file of manifest.files) {
      const data = await archive.read(file.offset, file.offset + file.packedSize);
      expect(Buffer.compare(await unpackFile(file, data), FILES[file.path] ?? Buffer.from('?'))).toBe(0);
      expect(file.method).toBe(
        (file.path.endsWith('.bin') && file.path !== 'large.bin') || file.size < 11 ? 'stored' : 'deflated',
      );
      expect(file.isText).toBe(!file.path.endsWith('.bin') && !file.path.includes('.txt'));
    }
  });

  it('is the same zip to everybody', async () => {
    const { archive } = await zipOf(FILES);
    const zipFile = await yauzl.fromBufferPromise(Buffer.from(archive.bytes), { strictFileNames: true });
    const seen: string[] = [];
    for await (const entry of zipFile.eachEntry()) {
      const bytes = await collect(await zipFile.openReadStreamPromise(entry));
      expect(Buffer.compare(bytes, FILES[entry.fileName] ?? Buffer.from('?'))).toBe(0);
      expect(entry.getLastModDate({ timezone: 'UTC' }).toISOString()).toBe('1980-01-01T00:00:00.000Z');
      seen.push(entry.fileName);
    }
    expect(seen).toHaveLength(Object.keys(FILES).length);

    const folder = mkdtempSync(join(tmpdir(), 'skerry-zip-'));
    try {
      writeFileSync(join(folder, 'a.zip'), archive.bytes);
      for (const [command, ...args] of [
        ['unzip', '-tq', 'a.zip'],
        ['python3', '-c', 'import zipfile; assert zipfile.ZipFile("a.zip").testzip() is None'],
      ] as const) {
        if (isThere(command)) execFileSync(command, args, { cwd: folder });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('has the same bytes whichever way its content came', async () => {
    const sizes = fc.oneof(
      { weight: 4, arbitrary: fc.nat(40_000) },
      { weight: 1, arbitrary: fc.nat({ max: 1_500_000 }) },
    );
    const content = fc
      .tuple(sizes, fc.boolean())
      .map(([size, isText]) => (isText ? text(size) : noise(size)));
    await fc.assert(
      fc.asyncProperty(fc.array(content, { minLength: 1, maxLength: 5 }), async (contents) => {
        const size = () => random() ** 4 * 200_000;
        const ways = await Promise.all([
          zip(contents.map((bytes, index) => raw(`${index}`, bytes))),
          zip(contents.map((bytes, index) => raw(`./${index}`, bytes, size)).reverse()),
          zip(await Promise.all(contents.map((bytes, index) => packed(`${index}`, bytes)))),
          zip(await Promise.all(contents.map((bytes, index) => packed(`${index}`, bytes, size)))),
        ]);
        for (const { archive, manifest } of ways) {
          expect(Buffer.compare(archive.bytes, ways[0].archive.bytes)).toBe(0);
          expect(manifest).toEqual(ways[0].manifest);
        }
      }),
      { seed, numRuns: runs(8, 500) },
    );
  });

  it('knows text however its characters are cut', async () => {
    const examples = ['', 'plain', 'größe €5 🐟', '🐟'.repeat(20)].map((example) => Buffer.from(example));
    const broken = [
      Buffer.from('🐟').subarray(0, 3),
      Buffer.from([0xe2, 0x82]),
      Buffer.from('a\0b'),
      Buffer.from([0xff]),
    ];
    const facts = async (bytes: Uint8Array, size = 1) =>
      (await zip([raw('x', bytes, () => size)])).manifest.files[0]?.isText;
    expect(await Promise.all(examples.map((bytes) => facts(bytes)))).toEqual(examples.map(() => true));
    expect(await Promise.all(broken.map((bytes) => facts(bytes)))).toEqual(broken.map(() => false));
    const fishes = Buffer.alloc(5 * 250_000, 'a🐟');
    expect(await facts(fishes, 77_777)).toBe(true);
    expect(await facts(fishes.subarray(0, -1), 77_777)).toBe(false);
  });
});

describe('what cannot become an archive', () => {
  const small = Buffer.from('small');

  it.each([
    ['no files', [], 'unprocessable'],
    ['a file twice', [raw('a', small), raw('./a', small)], 'unprocessable'],
    ['a path that leads out', [raw('../a', small)], 'unprocessable'],
    ['more than was announced', [{ ...raw('a', small), size: 4 }], 'unprocessable'],
    ['less than was announced', [{ ...raw('a', small), size: 6 }], 'unprocessable'],
    ['much less than was announced', [{ ...raw('a', small), size: 3 * WHOLE_BYTES }], 'unprocessable'],
    ['too many files', Array.from({ length: 10_001 }, (_, index) => raw(`${index}`, small)), 'too-large'],
    ['too much', [{ ...raw('a', small), size: BUNDLE_LIMITS.unpackedBytes }, raw('b', small)], 'too-large'],
  ] as const)('is refused: %s', async (_, inputs, kind) => {
    await expect(zip([...inputs])).rejects.toMatchObject({ kind });
  });

  it('fails as its first file does that cannot be read, when all reading has ended', async () => {
    let reading = 0;
    const inputs = Array.from(
      { length: 40 },
      (_, index): BundleInput => ({
        kind: 'raw',
        path: String(index).padStart(2, '0'),
        size: 1,
        async read() {
          reading += 1;
          await new Promise((resolve) => setTimeout(resolve, index));
          reading -= 1;
          if (index >= 5) throw new Error(`${index} is gone`);
          return Buffer.from('x');
        },
      }),
    );
    await expect(zip(inputs)).rejects.toThrow('5 is gone');
    expect(reading).toBe(0);
  });

  it('ends the source of a large file whose archive cannot be written', async () => {
    let ended = false;
    const input: BundleInput = {
      kind: 'raw',
      path: 'large',
      size: 20 * WHOLE_BYTES,
      read: async () =>
        (async function* () {
          try {
            for (;;) yield noise(WHOLE_BYTES / 4);
          } finally {
            ended = true;
          }
        })(),
    };
    const sink = new MemoryArchive();
    sink.append = async () => Promise.reject(new Error('full'));
    await expect(writeZip([input], sink)).rejects.toThrow('full');
    await expect.poll(() => ended).toBe(true);
  });
});

it('a stored file that is damaged is not answered', async () => {
  const { facts, data } = await packFile('a', text(5000));
  const other = await packFile('a', text(5001));
  for (const bytes of [
    data.subarray(0, 50),
    Buffer.concat([Buffer.of(0xff), data]),
    other.data,
    new Uint8Array(),
  ]) {
    await expect(unpackFile(facts, bytes)).rejects.toThrow('"a"');
  }
});

it('a stored file that is damaged ends early where it is answered as it comes', async () => {
  for (const content of [text(1_500_000), noise(1_500_000)]) {
    const { facts, data } = await packFile('a', content);
    const received = async (bytes: Uint8Array) => {
      const answered: Uint8Array[] = [];
      const read = async () => {
        const packed = pieces(bytes, () => 100_000);
        for await (const piece of unpackStream(facts, packed)) answered.push(piece);
      };
      const fault = await read().then(
        () => undefined,
        (error: unknown) => error,
      );
      return { bytes: Buffer.concat(answered), fault };
    };
    const whole = await received(data);
    expect(whole.fault).toBeUndefined();
    expect(whole.bytes.equals(content)).toBe(true);
    const other = await packFile('a', Buffer.concat([content.subarray(0, -1), Buffer.of(0)]));
    for (const damaged of [data.subarray(0, -50), other.data, new Uint8Array()]) {
      const { bytes, fault } = await received(damaged);
      expect(fault).toBeInstanceOf(Error);
      expect(bytes.length).toBeLessThan(content.length);
    }
  }
});

function isThere(command: string): boolean {
  try {
    execFileSync('which', [command]);
    return true;
  } catch {
    return false;
  }
}
