import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { packTar, type TarEntry } from 'modern-tar';
import { describe, expect, it } from 'vitest';
import { collect } from '../../../shared/bundles/content/content-chunks.ts';
import { multipartParts } from '../../../shared/bundles/content/multipart-parts.ts';
import { packFile } from '../../../shared/bundles/content/pack-file.ts';
import { readUpload } from '../../../shared/bundles/content/read-upload.ts';
import { unpackFile } from '../../../shared/bundles/content/unpack-file.ts';
import { runs } from '../../integration/seeded-runs.ts';
import { madeZip } from './made-zip.ts';

const MIB = 1024 * 1024;
const LONG_NAME = `${'long-folder-name/'.repeat(20)}größe-🐟.txt`;
const FILES: Record<string, string> = {
  'a.txt': 'first',
  empty: '',
  'folder/größe.txt': 'größe'.repeat(300),
  [`${'x'.repeat(90)}/${'y'.repeat(90)}`]: 'divided by its prefix',
  [LONG_NAME]: 'long',
};

async function read(bytes: Uint8Array, contentType: string | null) {
  const { inputs, ...facts } = await readUpload({ bytes, contentType });
  const files: Record<string, string> = {};
  for (const input of inputs) {
    const content = await collect(await input.read());
    const isRaw = input.kind === 'raw';
    const unpacked = isRaw ? content : await unpackFile(input.facts, content);
    files[isRaw ? input.path : input.facts.path] = Buffer.from(unpacked).toString();
  }
  return { files, ...facts };
}

const tarOf = (files: Record<string, string>) =>
  packTar(
    Object.entries(files).map(([name, body]) => ({ header: { name, size: Buffer.byteLength(body) }, body })),
  );

describe('an upload', () => {
  const zip = madeZip(Object.entries(FILES).map(([name, text]) => ({ name, content: Buffer.from(text) })));

  it('is read by its type, or by its first bytes where it has none', async () => {
    const tar = await tarOf(FILES);
    const all: [Uint8Array, string[]][] = [
      [zip, ['application/zip', 'application/x-zip-compressed', 'application/octet-stream']],
      [tar, ['application/x-tar', 'Application/X-Tar; charset=binary']],
      [gzipSync(tar), ['application/gzip', 'application/x-gzip', 'application/x-tar+gzip']],
    ];
    for (const [bytes, types] of all) {
      for (const type of [...types, null, 'application/x-www-form-urlencoded']) {
        expect(await read(bytes, type)).toEqual({ files: FILES });
      }
    }
  });

  it.each([
    ['text/plain', zip],
    ['application/json', zip],
    [null, Buffer.from('{}')],
    [null, Buffer.alloc(0)],
    ['__proto__', zip],
    ['constructor', zip],
  ])('of another type is refused: %s', async (type, bytes) => {
    await expect(read(bytes, type)).rejects.toMatchObject({
      kind: 'unsupported-media-type',
      fix: expect.stringContaining('application/x-tar'),
    });
  });
});

describe('a tar', () => {
  it.each(['gnu', 'pax', 'ustar', 'v7'])('is read as GNU tar writes it: %s', async (format) => {
    const names = Object.keys(FILES).filter(
      (name) => name.length < 100 || format === 'gnu' || format === 'pax',
    );
    const files = Object.fromEntries(names.map((name) => [name, FILES[name] ?? '']));
    const tar = inFolder(files, (folder) =>
      execFileSync('tar', [`--format=${format}`, '-cf', '-', '.'], { cwd: folder }),
    );
    expect(await read(tar, 'application/x-tar')).toEqual({ files });
  });

  it.each<[what: string, entry: Partial<TarEntry['header']>, why: string]>([
    ['a link', { type: 'symlink', linkname: '/etc/passwd' }, 'symbolic'],
    ['a hard link', { type: 'link', linkname: 'a.txt' }, 'hard link'],
    ['a device', { type: 'character-device' }, 'device'],
    ['a pipe', { type: 'fifo' }, 'pipe'],
    ['a path that leads out', { name: '../b' }, '".."'],
    ['an absolute path', { name: '/b' }, 'absolute'],
    ['a path twice', { name: './a.txt' }, 'twice'],
    ['a path twice by pax', { pax: { path: 'a.txt' } }, 'twice'],
    ['a sparse file', { pax: { 'GNU.sparse.major': '1' } }, 'sparse'],
  ])('is refused: %s', async (_, header, why) => {
    const tar = await packTar([
      { header: { name: 'a.txt', size: 1 }, body: 'a' },
      { header: { name: 'b', size: 0, ...header } },
    ]);
    await expect(read(tar, 'application/x-tar')).rejects.toMatchObject({
      kind: 'unprocessable',
      message: expect.stringContaining(why),
    });
  });

  it('is refused where it is cut or changed, and where it holds what only GNU tar knows', async () => {
    const tar = await tarOf({ a: 'x'.repeat(600), b: 'y' });
    const refused = (bytes: Uint8Array) =>
      expect(read(bytes, 'application/x-tar')).rejects.toMatchObject({ kind: 'unprocessable' });
    for (let length = 0; length < tar.length - 512; length += 100) await refused(tar.subarray(0, length));
    await refused(Buffer.from(tar).fill('z', 3, 4));
    await refused(gzipSync(tar));
    await expect(read(tar, 'application/gzip')).rejects.toMatchObject({ kind: 'unprocessable' });
    await expect(read(gzipSync(tar).subarray(0, -9), null)).rejects.toMatchObject({ kind: 'unprocessable' });
    const sparse = inFolder({ a: 'a' }, (folder) => {
      execFileSync('truncate', ['-s', '1M', 'a'], { cwd: folder });
      return execFileSync('tar', ['--format=gnu', '-Scf', '-', 'a'], { cwd: folder });
    });
    await refused(sparse);
  });

  it('that becomes very much is not unpacked to its end', async () => {
    const bomb = gzipSync(await tarOf({ a: '\0'.repeat(16 * MIB) }));
    await expect(read(bomb, 'application/gzip')).rejects.toMatchObject({
      message: expect.stringContaining('200 times'),
    });
  });
});

describe('a form', () => {
  const type = 'multipart/form-data; boundary="a b"';
  const form = (...parts: (string | Buffer)[]) =>
    Buffer.concat([
      ...parts.flatMap((part) => [
        Buffer.from('--a b\r\nContent-Disposition: form-data; '),
        Buffer.from(part),
        Buffer.from('\r\n'),
      ]),
      Buffer.from('--a b--\r\n'),
    ]);

  it('names its files by its parts, or by their own names', async () => {
    const data = new FormData();
    data.set('conf/größe "1".txt', new File(['one'], 'blob'));
    data.append('file', new File(['two'], 'two.txt'));
    data.append('file', new File(['three'], 'folder/three.txt'));
    data.append('text', 'four');
    data.append('message', 'A message');
    data.append('label', 'stable');
    data.append('label', 'größer');
    data.append('folder/label', new File(['five'], 'label'));
    const request = new Response(data);
    const contentType = request.headers.get('content-type');
    expect(await read(new Uint8Array(await request.arrayBuffer()), contentType)).toEqual({
      files: {
        'conf/größe "1".txt': 'one',
        'two.txt': 'two',
        'folder/three.txt': 'three',
        text: 'four',
        'folder/label': 'five',
      },
      message: 'A message',
      labels: ['stable', 'größer'],
    });
  });

  it('keeps the bytes of what has no name of a file, and of what looks like a delimiter', () => {
    const bytes = Buffer.from('\xff\ufffd\r\n--a bc\r\n--a b?\r\n', 'latin1');
    const body = form(Buffer.concat([Buffer.from('name="a\\"%22"\r\n\r\n'), bytes]), 'name=empty\r\n\r\n');
    const whole = Buffer.concat([Buffer.from('preamble\r\n'), body, Buffer.from('epilogue\r\n--a b\r\n')]);
    expect(multipartParts(whole, type, () => undefined)).toEqual([
      { name: 'a""', fileName: undefined, content: bytes },
      { name: 'empty', fileName: undefined, content: Buffer.alloc(0) },
    ]);
  });

  it('is read as .NET and curl write it', async () => {
    const body = form(
      "name=file; filename=a.txt; filename*=utf-8''gr%C3%B6%C3%9Fe.txt\r\n\r\none",
      'name="b/c.bin"; filename="c.bin"\r\nContent-Type: application/octet-stream\r\n\r\n--a\r\n--a c',
    );
    expect(await read(body, type)).toEqual({ files: { 'größe.txt': 'one', 'b/c.bin': '--a\r\n--a c' } });
  });

  it.each<[what: string, bytes: Buffer, type: string, why: string]>([
    ['no boundary', form(), 'multipart/form-data', 'boundary'],
    ['another boundary', form('name="a"\r\n\r\nx'), 'multipart/form-data; boundary=b', 'boundary'],
    ['no end', form('name="a"; filename="a"\r\n\r\nx').subarray(0, -9), type, 'end is missing'],
    ['no name', form('filename="a"\r\n\r\nx'), type, 'no name'],
    ['a part of another kind', Buffer.from('--a b\r\nX: y\r\n\r\nx\r\n--a b--'), type, 'form-data'],
    [
      'an encoding',
      form('name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\neA=='),
      type,
      'encoded once more',
    ],
    ['a message of bytes', form(Buffer.from('name="message"\r\n\r\n\xff', 'latin1')), type, 'not UTF-8'],
    ['very long headers', form(`name="a"\r\nX: ${'x'.repeat(20_000)}\r\n\r\nx`), type, 'headers'],
    ['a path that leads out', form('name="file"; filename="../a"\r\n\r\nx'), type, '".."'],
    ['a path twice', form('name="a"\r\n\r\nx', 'name="a"\r\n\r\nx'), type, 'twice'],
  ])('is refused: %s', async (_, bytes, contentType, why) => {
    await expect(read(bytes, contentType)).rejects.toMatchObject({
      kind: 'unprocessable',
      message: expect.stringContaining(why),
    });
  });

  it('may have ten thousand files, and is refused at once when it has a million', async () => {
    const part = (index: number) => `name="${index}"\r\n\r\n${index}`;
    const many = await readUpload({
      bytes: form(...Array.from({ length: runs(2000, 10_000) }, (_, index) => part(index))),
      contentType: type,
    });
    expect(many.inputs).toHaveLength(runs(2000, 10_000));
    const million = Buffer.alloc(50 * MIB, '\r\n--a b\r\nContent-Disposition: form-data; name="a"\r\n\r\n');
    const begun = process.cpuUsage();
    await expect(readUpload({ bytes: million, contentType: type })).rejects.toMatchObject({
      kind: 'too-large',
    });
    expect(process.cpuUsage(begun).user).toBeLessThan(300_000);
  });
});

it('what was packed keeps nothing else in memory', async () => {
  const bytes = Buffer.alloc(4 * MIB, 'x');
  const tar = await tarOf({ a: 'abc', b: bytes.toString() });
  const { inputs } = await readUpload({ bytes: tar, contentType: null });
  for (const input of inputs) {
    const content = await collect(await input.read());
    expect(content.buffer.byteLength).toBeLessThan(32 * 1024);
  }
  expect((await packFile('a', bytes)).data.length).toBeLessThan(32 * 1024);
});

function inFolder<Answer>(files: Record<string, string>, work: (folder: string) => Answer): Answer {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-tar-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
