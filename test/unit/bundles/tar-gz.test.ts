import { execFileSync } from 'node:child_process';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { describe, expect, it } from 'vitest';
import type { BundleInput } from '../../../shared/bundles/content/bundle-input.ts';
import { collect } from '../../../shared/bundles/content/content-chunks.ts';
import { contentTypeOf } from '../../../shared/bundles/content/content-type.ts';
import { MemoryArchive } from '../../../shared/bundles/content/memory-archive.ts';
import { readUpload } from '../../../shared/bundles/content/read-upload.ts';
import { toTarGz } from '../../../shared/bundles/content/tar-gz.ts';
import { writeZip } from '../../../shared/bundles/content/write-zip.ts';

const FILES: Readonly<Record<string, Buffer>> = {
  'a.txt': Buffer.from('a'),
  empty: Buffer.alloc(0),
  large: Buffer.alloc(3_000_000, 'large '),
  [`${'folder/'.repeat(13)}${'x'.repeat(8)}`]: Buffer.alloc(512, 'x'),
  [`${'größe/'.repeat(60)}🐟`]: Buffer.from('long'),
  // The length of this one's record needs one digit more for being counted itself.
  ['y'.repeat(91)]: Buffer.alloc(513, 'y'),
  [`z/${'z'.repeat(105)}`]: Buffer.from('z'),
};

async function archiveOf(inputs: readonly BundleInput[]) {
  const archive = new MemoryArchive();
  return { archive, manifest: await writeZip(inputs, archive) };
}

describe('a tar.gz', () => {
  const inputs = Object.entries(FILES).map(
    ([path, bytes]): BundleInput => ({ kind: 'raw', path, size: bytes.length, read: async () => bytes }),
  );

  it('has all files, to GNU tar and others, and nothing of when and where it was made', async () => {
    const { archive, manifest } = await archiveOf(inputs);
    const bytes = await collect(toTarGz(manifest, archive));
    expect(Buffer.from(bytes.subarray(0, 10)).toString('hex')).toBe('1f8b08000000000000ff');

    const listing = execFileSync('tar', ['-tzv', '--full-time', '--quoting-style=literal'], {
      input: bytes,
      env: { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    });
    const lines = listing.toString().trimEnd().split('\n');
    expect(lines).toHaveLength(manifest.files.length);
    for (const [index, { path, size }] of manifest.files.entries()) {
      expect(lines[index]?.replace(/ +/g, ' ')).toBe(`-rw-r--r-- 0/0 ${size} 1970-01-01 00:00:00 ${path}`);
    }
    for (const { header, data } of await unpackTar(gunzipSync(bytes), { strict: true })) {
      expect(Buffer.compare(data ?? Buffer.from('?'), FILES[header.name] ?? Buffer.of())).toBe(0);
    }
  });

  it('that is published again is the same version', async () => {
    const { archive, manifest } = await archiveOf(inputs);
    const tarGz = await collect(toTarGz(manifest, archive));
    const upload = await readUpload({ bytes: tarGz, contentType: 'application/gzip' });
    const again = await archiveOf(upload.inputs);
    expect(again.manifest).toEqual(manifest);
    expect(Buffer.compare(again.archive.bytes, archive.bytes)).toBe(0);
    expect(Buffer.compare(await collect(toTarGz(again.manifest, again.archive)), tarGz)).toBe(0);
  });

  it('ends when its archive does not hold what it should, or when nobody reads on', async () => {
    const { archive, manifest } = await archiveOf(inputs);
    const cut = new MemoryArchive(archive.bytes.subarray(0, 1000));
    await expect(collect(toTarGz(manifest, cut))).rejects.toThrow('cut');
    const damaged = Uint8Array.from(archive.bytes);
    damaged.fill(0xff, manifest.files[0]?.offset ?? 0, (manifest.files[0]?.offset ?? 0) + 1);
    await expect(collect(toTarGz(manifest, new MemoryArchive(damaged)))).rejects.toThrow('stored content');

    let isEnded = false;
    const source = {
      size: archive.size,
      read: (start: number, end: number) => archive.read(start, end),
      async *stream(start: number, end: number) {
        try {
          for (let at = start; at < end; at += 100) yield archive.bytes.subarray(at, Math.min(at + 100, end));
        } finally {
          isEnded = true;
        }
      },
    };
    for await (const piece of toTarGz(manifest, source)) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    await expect.poll(() => isEnded).toBe(true);
  });
});

it.each([
  ['a.json', true, 'application/json'],
  ['a.YAML', true, 'text/yaml; charset=utf-8'],
  ['a.yml', true, 'text/yaml; charset=utf-8'],
  ['a.toml', true, 'text/plain; charset=utf-8'],
  ['a.mustache', true, 'text/plain; charset=utf-8'],
  ['a.conf', true, 'text/plain; charset=utf-8'],
  ['a.properties', true, 'text/plain; charset=utf-8'],
  ['a.ts', true, 'text/plain; charset=utf-8'],
  ['a.ts', false, 'video/mp2t'],
  ['folder.json/Makefile', true, 'text/plain; charset=utf-8'],
  ['.env', true, 'text/plain; charset=utf-8'],
  ['a.css', true, 'text/css; charset=utf-8'],
  ['a.txt', false, 'text/plain'],
  ['a.svg', true, 'image/svg+xml'],
  ['a.png', false, 'image/png'],
  ['a.bin', false, 'application/octet-stream'],
  ['json', true, 'text/plain; charset=utf-8'],
])('%s (text: %s) is %s', async (path, isText, type) => {
  expect(await contentTypeOf({ path, isText })).toBe(type);
});
