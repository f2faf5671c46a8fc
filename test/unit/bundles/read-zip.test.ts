import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import yazl from 'yazl';
import type { RandomAccess } from '../../../shared/bundles/content/bundle-input.ts';
import { collect } from '../../../shared/bundles/content/content-chunks.ts';
import { MemoryArchive } from '../../../shared/bundles/content/memory-archive.ts';
import { readZip } from '../../../shared/bundles/content/read-zip.ts';
import { BUNDLE_LIMITS } from '../../../shared/bundles/index.ts';
import { unavailable } from '../../../shared/platform/errors.ts';
import { type MadeEnd, type MadeEntry, madeZip, zip64End } from './made-zip.ts';

const KIB = 1024;
const limits = { unpackedBytes: BUNDLE_LIMITS.bodyUnpackedBytes };
const content = Buffer.from('some content, some content');

async function filesOf(source: Uint8Array | RandomAccess): Promise<Record<string, string>> {
  const access = source instanceof Uint8Array ? new MemoryArchive(source) : source;
  const files: Record<string, string> = {};
  for (const input of await readZip(access, limits)) {
    if (input.kind === 'packed') throw new Error('Nobody packed it yet.');
    const bytes = await collect(await input.read());
    expect(bytes.length).toBe(input.size);
    files[input.path] = Buffer.from(bytes).toString('latin1');
  }
  return files;
}

describe('a zip of somebody else', () => {
  it('is read file by file, folders aside', async () => {
    const zip = new yazl.ZipFile();
    const large = Buffer.alloc(3 * KIB * KIB, 'large, but not empty: ');
    for (let at = 0; at < large.length; at += 500) large.writeUInt32LE((at * 2654435761) >>> 0, at);
    zip.addEmptyDirectory('folder');
    zip.addBuffer(content, 'folder/größe 🐟');
    zip.addBuffer(content, 'stored', { compress: false });
    zip.addBuffer(Buffer.alloc(0), 'empty');
    zip.addBuffer(large, 'large');
    zip.addBuffer(large, 'large and stored', { compress: false });
    zip.addReadStream(Readable.from([content]), 'streamed');
    zip.end();
    const text = content.toString('latin1');
    expect(await filesOf(await buffer(zip.outputStream))).toEqual({
      'folder/größe 🐟': text,
      stored: text,
      empty: '',
      large: large.toString('latin1'),
      'large and stored': large.toString('latin1'),
      streamed: text,
    });
  });

  it('may have the larger form, a comment, extra fields, and names without the mark of UTF-8', async () => {
    const entries: MadeEntry[] = [
      { name: './über', content, flags: 0, extra: Buffer.from('0a0b0400abcdefab', 'hex') },
      { name: Buffer.from([0x81, 0x62]), content, flags: 0, local: { extra: Buffer.alloc(300) } },
    ];
    const end = { comment: Buffer.from('a comment') };
    const plain = madeZip(entries, end);
    const start = BigInt(plain.readUInt32LE(plain.length - 9 - 6));
    const before = zip64End(madeZip(entries), { count: 2n, start });
    for (const zip of [plain, madeZip(entries, { ...end, before, count: 0xffff, start: 0xffff_ffff })]) {
      expect(Object.keys(await filesOf(zip))).toEqual(['über', 'üb']);
    }
  });

  it('is read as far as is needed: its directory by few reads, each file by one', async () => {
    const zip = new MemoryArchive(
      madeZip(Array.from({ length: 1000 }, (_, index) => ({ name: `file-${index}`, content }))),
    );
    let reads = 0;
    const source: RandomAccess = {
      size: zip.size,
      read: async (start, end) => {
        reads += 1;
        return zip.read(start, end);
      },
      stream: () => expect.fail('no file is large'),
    };
    const inputs = await readZip(source, limits);
    expect(inputs).toHaveLength(1000);
    expect(reads).toBeLessThanOrEqual(3);
    await inputs[999]?.read();
    expect(reads).toBeLessThanOrEqual(4);
  });

  it('that storage does not answer is no damaged one', async () => {
    const zip = new MemoryArchive(madeZip([{ name: 'a', content }]));
    const fault = unavailable('Storage does not answer.');
    const source: RandomAccess = {
      size: zip.size,
      read: async () => Promise.reject(fault),
      stream: zip.stream,
    };
    await expect(readZip(source, limits)).rejects.toBe(fault);
    const bug = new TypeError('a bug');
    source.read = async () => Promise.reject(bug);
    await expect(readZip(source, limits)).rejects.toBe(bug);
  });
});

describe('a malicious or damaged zip', () => {
  const file: MadeEntry = { name: 'a', content };
  const bomb = deflateRawSync(Buffer.alloc(9 * KIB * KIB));

  it.each<[what: string, why: string, entries: MadeEntry[], end?: MadeEnd]>([
    ['a path that leads out', 'has ".."', [{ ...file, name: '../a' }]],
    ['an absolute path', 'absolute', [{ ...file, name: '/a' }]],
    ['a backslash', 'backslash', [{ ...file, name: 'a\\b' }]],
    ['a drive', 'absolute', [{ ...file, name: 'C:a' }]],
    ['NUL in a name', 'control', [{ ...file, name: 'a\0.txt' }]],
    ['a name that is not UTF-8', 'UTF-8', [{ ...file, name: Buffer.from([0x61, 0xff]) }]],
    ['a name twice', 'twice', [file, { ...file, name: './a' }]],
    ['names that differ in case', 'case', [file, { ...file, name: 'A' }]],
    ['a file that is a folder', 'folder of', [file, { ...file, name: 'a/b' }]],
    ['a link', 'neither', [{ ...file, attributes: (0o120777 << 16) >>> 0 }]],
    ['a device', 'neither', [{ ...file, attributes: (0o020666 << 16) >>> 0 }]],
    ['a folder with content', 'folder with', [{ ...file, name: 'a/' }]],
    ['a folder by its mode', 'neither', [{ ...file, attributes: (0o040755 << 16) >>> 0 }]],
    ['an encrypted file', 'encrypted', [{ ...file, flags: 0x0801 }]],
    ['a strongly encrypted file', 'encryption', [{ ...file, flags: 0x0841 }]],
    ['an unknown method', 'method 14', [{ ...file, method: 14 }]],
    ['a size that is too small', 'size', [{ ...file, size: 5 }]],
    ['a size that is too large', 'size', [{ ...file, size: 500 }]],
    ['a size that is much too large', 'size', [{ ...file, size: 2 * KIB * KIB }]],
    ['a size of a stored file that is not its own', 'mismatch', [{ ...file, method: 0, size: 5 }]],
    ['a bad checksum', 'checksum', [{ ...file, crc: 1 }]],
    ['a bad checksum of a stored file', 'checksum', [{ ...file, method: 0, crc: 1 }]],
    ['a packed size that is too small', 'cannot be unpacked', [{ ...file, packedSize: 5 }]],
    [
      'a packed size beyond the next file',
      'overlaps',
      [
        { ...file, packedSize: 60 },
        { ...file, name: 'b' },
      ],
    ],
    ['a packed size beyond everything', 'overlaps', [{ ...file, packedSize: 0xffff_fffe }]],
    ['what is not deflated', 'cannot be unpacked', [{ ...file, packed: Buffer.alloc(20, 0xff) }]],
    ['another name in the local header', 'own header', [{ ...file, local: { name: 'b' } }]],
    ['another size in the local header', 'own header', [{ ...file, local: { size: 5 } }]],
    ['another method in the local header', 'own header', [{ ...file, local: { method: 0 } }]],
    ['another checksum in the local header', 'own header', [{ ...file, local: { crc: 5 } }]],
    [
      'a local header that reaches beyond',
      'overlaps',
      [
        { ...file, at: 0 },
        { ...file, name: 'b', at: 1 },
      ],
    ],
    ['two files at one place', 'overlaps', [file, { ...file, name: 'b', at: 0 }]],
    [
      'a file within another',
      'overlaps',
      [
        { name: 'a', method: 0, content: madeZip([{ ...file, name: 'b' }]) },
        { ...file, name: 'b', at: 31 },
      ],
    ],
    ['no local header', 'not where', [{ ...file, signature: 0 }]],
    ['a file behind the end', 'overlaps', [{ ...file, at: 0xffff_fff0 }]],
    ['a bomb', '200 times', [{ name: 'a', packed: bomb, size: 9 * KIB * KIB }]],
    ['a large bomb that lies', 'size', [{ name: 'a', packed: bomb, size: 2 * KIB * KIB }]],
    ['a bomb that lies', 'size', [{ name: 'a', packed: bomb, size: 1 * KIB * KIB }]],
    [
      'too much',
      'may have here',
      [{ name: 'a', size: 257 * KIB * KIB, packed: Buffer.alloc(2 * KIB * KIB) }],
    ],
    ['more entries than there are', 'cut', [file], { count: 2 }],
    ['fewer entries than there are', 'end where', [file, { ...file, name: 'b' }], { count: 1 }],
    ['too many entries', 'may have', [file], { count: 30_000 }],
    ['a directory that begins elsewhere', 'signature', [file], { start: 5 }],
    ['a directory behind the end', 'cut', [file], { start: 0xffff_fff0 }],
    ['something behind the directory', 'end where', [file], { before: Buffer.from('PK..') }],
    [
      'too little for a large size',
      'include',
      [{ ...file, size: 0xffff_ffff, extra: Buffer.from('01000000', 'hex') }],
    ],
    [
      'a huge size',
      '200 times',
      [{ ...file, size: 0xffff_ffff, extra: Buffer.from(`01000800${'f'.repeat(16)}`, 'hex') }],
    ],
    ['extra fields that are cut', 'exceeds', [{ ...file, extra: Buffer.from('0100ffff', 'hex') }]],
  ])('is refused: %s', async (_, why, entries, end) => {
    await expect(filesOf(madeZip(entries, end))).rejects.toMatchObject({
      kind: why.startsWith('may have') ? 'too-large' : 'unprocessable',
      message: expect.stringContaining(why),
    });
  });

  it.each<[what: string, said: { count: bigint; start: bigint; at?: bigint }]>([
    ['more entries', { count: 2n ** 63n, start: 0n }],
    ['a start behind the end', { count: 1n, start: 2n ** 62n }],
    ['an end that is elsewhere', { count: 1n, start: 0n, at: 0n }],
    ['an end that is nowhere', { count: 1n, start: 0n, at: 2n ** 64n - 1n }],
  ])('is refused where the larger form says otherwise: %s', async (_, said) => {
    const before = zip64End(madeZip([file]), said);
    await expect(filesOf(madeZip([file], { before }))).rejects.toMatchObject({
      kind: said.count > 1n ? 'too-large' : 'unprocessable',
    });
  });

  it('is refused wherever it is cut', async () => {
    const zip = madeZip([file, { ...file, name: 'b', method: 0 }]);
    for (let length = 0; length < zip.length; length++) {
      await expect(filesOf(zip.subarray(0, length))).rejects.toMatchObject({ kind: 'unprocessable' });
    }
  });
});
