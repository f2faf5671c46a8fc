import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { packTar } from 'modern-tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryArchive } from '../../../shared/bundles/content/memory-archive.ts';
import { readUpload } from '../../../shared/bundles/content/read-upload.ts';
import { writeZip } from '../../../shared/bundles/content/write-zip.ts';
import { SkerryError } from '../../../shared/platform/errors.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';
import { madeZip, zip64End } from './made-zip.ts';

const seed = printedSeed('upload-fuzz');

const texts = ['', 'x', 'some text, some more text', 'größe '.repeat(120)];
const entries = texts.map((text, index) => ({
  name: `f${index % 2}/größe-${index}`,
  content: Buffer.from(text),
}));
const plain = madeZip(entries.map((entry, index) => ({ ...entry, method: index % 2 ? 8 : 0 })));
const tar = Buffer.from(
  await packTar([
    { header: { name: 'folder/', size: 0, type: 'directory' } },
    ...texts.map((body, index) => ({
      header: { name: `f/${'long/'.repeat(index * 20)}x`, size: Buffer.byteLength(body) },
      body,
    })),
  ]),
);
const form = new Response(
  (() => {
    const data = new FormData();
    data.set('message', 'A message');
    for (const { name, content } of entries) data.append(name, new File([content], name));
    return data;
  })(),
);
const formType = form.headers.get('content-type') ?? '';
const formBytes = Buffer.from(await form.arrayBuffer());

const SAMPLES: readonly (readonly [what: string, contentType: string | null, bytes: Buffer])[] = [
  ['zip', 'application/zip', plain],
  [
    'zip with a larger end',
    'application/zip',
    madeZip(entries, { before: zip64End(plain, { count: 4n, start: 500n }) }),
  ],
  ['tar', 'application/x-tar', tar],
  ['tar.gz', 'application/gzip', gzipSync(tar)],
  ['form', formType, formBytes],
];

/** What mutations like to put where a number is. */
const numbers = fc.constantFrom(
  0,
  1,
  2,
  8,
  0x1f,
  0x7f,
  0x80,
  0xfe,
  0xff,
  0x30,
  0x37,
  0x2f,
  0x2e,
  0x0d,
  0x0a,
  0x22,
  0x2d,
);

/** Doubles would be near zero, most of them. */
const place = fc.nat(9999).map((index) => index / 10_000);
const change = (kind: 'set' | 'insert' | 'cut' | 'repeat', maxLength: number) =>
  fc.record({
    kind: fc.constant(kind),
    at: place,
    bytes: fc.array(fc.oneof(numbers, fc.nat(255)), { minLength: 1, maxLength }),
  });
const mutation = fc.oneof(
  { weight: 6, arbitrary: change('set', 4) },
  { weight: 1, arbitrary: change('insert', 40) },
  { weight: 1, arbitrary: change('cut', 60) },
  { weight: 1, arbitrary: change('repeat', 200) },
);

type Mutation = ReturnType<typeof change> extends fc.Arbitrary<infer Value> ? Value : never;

function mutated(bytes: Buffer, mutations: readonly Mutation[]): Buffer {
  let result = Buffer.from(bytes);
  for (const { kind, at: part, bytes: given } of mutations) {
    const at = Math.floor(part * result.length);
    const replacement = Buffer.from(given);
    if (kind === 'set') replacement.copy(result, at);
    else {
      const middle =
        kind === 'insert'
          ? replacement
          : kind === 'cut'
            ? Buffer.of()
            : result.subarray(at, at + 2 * replacement.length);
      result = Buffer.concat([
        result.subarray(0, at),
        middle,
        result.subarray(kind === 'cut' ? at + replacement.length : at),
      ]);
    }
  }
  return result;
}

/** Reads an upload as a publication does. @returns whether it is one. */
async function isAccepted(bytes: Uint8Array, contentType: string | null): Promise<boolean> {
  const begun = process.cpuUsage();
  try {
    const { inputs } = await readUpload({ bytes, contentType });
    await writeZip(inputs, new MemoryArchive());
    return true;
  } catch (error) {
    if (!(error instanceof SkerryError)) throw error;
    expect(error.fix ?? '').not.toBe('');
    return false;
  } finally {
    // Of computing, in microseconds: other processes may hold the processor for longer.
    expect(process.cpuUsage(begun).user).toBeLessThan(100_000);
  }
}

describe('whatever is uploaded', () => {
  const uncaught: unknown[] = [];
  const note = (error: unknown) => void uncaught.push(error);
  beforeAll(() => {
    process.on('unhandledRejection', note).on('uncaughtException', note);
  });
  afterAll(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', note).off('uncaughtException', note);
    expect(uncaught).toEqual([]);
  });

  it.each(SAMPLES)('is a version or is refused with a reason: %s', async (_, contentType, bytes) => {
    expect(await isAccepted(bytes, contentType)).toBe(!bytes.includes('PK\x06\x06'));
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), async (mutations) => {
        await isAccepted(mutated(bytes, mutations), contentType);
      }),
      { seed, numRuns: runs(60, 25_000) },
    );
  });

  it('is a version or is refused with a reason: a tar that was changed before it was packed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (mutations) => {
        const changed = mutated(gunzipSync(gzipSync(tar)), mutations);
        await isAccepted(withChecksums(changed), 'application/x-tar');
      }),
      { seed, numRuns: runs(60, 25_000) },
    );
  });

  it('is a version or is refused with a reason: a zip that says anything', async () => {
    const number = fc.constantFrom(0, 1, 5, 26, 27, 60, 0xffff, 0xffff_fffe, 0xffff_ffff);
    const name = fc.constantFrom(
      'a',
      'b',
      'A',
      'a/',
      'a/b',
      './c',
      '../d',
      '/e',
      'f\\g',
      'h\0',
      '',
      'ü',
      '🐟',
    );
    const extra = fc.constantFrom(
      '',
      '0100',
      '01000000',
      '0100080000000000000000ff',
      `01001800${'00'.repeat(24)}`,
      '7570ffff',
      `757006000100000000ff`,
    );
    const sometimes = <Value>(arbitrary: fc.Arbitrary<Value>) =>
      fc.option(arbitrary, { nil: undefined, freq: 9 });
    const entry = fc.record({
      name,
      content: fc.constantFrom(...entries.map((sample) => sample.content)),
      method: fc.constantFrom(0, 8, 8, 9),
      flags: sometimes(fc.constantFrom(0, 1, 8, 0x40, 0x808, 0xffff)),
      size: sometimes(number),
      packedSize: sometimes(number),
      crc: sometimes(number),
      attributes: sometimes(fc.constantFrom(0xffff_ffff, 0xa1ed_0000, 0x41ed_0010)),
      extra: sometimes(extra.map((text) => Buffer.from(text, 'hex'))),
      at: sometimes(number),
    });
    const end = fc.record({
      count: sometimes(fc.constantFrom(0, 1, 2, 3, 0xffff)),
      start: sometimes(number),
      before: sometimes(
        fc
          .record({ count: fc.bigInt(0n, 3n), start: fc.bigInt(0n, 900n) })
          .map((said) => zip64End(plain, said)),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 3 }), end, async (made, said) => {
        await isAccepted(
          madeZip(
            made.map((one) => ({ ...given(one), name: one.name })),
            given(said),
          ),
          'application/zip',
        );
      }),
      { seed, numRuns: runs(60, 50_000) },
    );
  });

  it('is a version or is refused with a reason: any bytes', async () => {
    const types = fc.constantFrom(...SAMPLES.map(([, type]) => type));
    const head = fc.constantFrom(
      '',
      'PK\x03\x04',
      'PK\x05\x06',
      '\x1f\x8b\x08\0',
      `${formBytes.subarray(0, 60)}`,
    );
    await fc.assert(
      fc.asyncProperty(types, head, fc.uint8Array({ maxLength: 600 }), async (type, start, rest) => {
        await isAccepted(Buffer.concat([Buffer.from(start, 'latin1'), rest]), type);
      }),
      { seed, numRuns: runs(100, 25_000) },
    );
  });
});

/** Without what is undefined. */
type Given<Value> = { [Name in keyof Value]?: Exclude<Value[Name], undefined> };
function given<Value extends object>(value: Value): Given<Value> {
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined),
  ) as Given<Value>;
}

/** Puts right the checksums of what are headers, so that mutations get further than to them. */
function withChecksums(bytes: Buffer): Buffer {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const header = bytes.subarray(at, at + 512);
    if (header.toString('latin1', 257, 262) !== 'ustar') continue;
    header.fill(' ', 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
  return bytes;
}
