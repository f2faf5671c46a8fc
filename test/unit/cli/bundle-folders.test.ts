import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { contentDigest } from '../../../client/cli/bundle/content-digest.ts';
import { listFolder } from '../../../client/cli/bundle/list-folder.ts';
import { packFiles } from '../../../client/cli/bundle/pack-files.ts';
import { pullVersion } from '../../../client/cli/bundle/pull-version.ts';
import { pushPath } from '../../../client/cli/bundle/push-path.ts';
import { readArchive } from '../../../client/cli/bundle/read-archive.ts';
import { replaceFolder } from '../../../client/cli/bundle/replace-folder.ts';
import { assertSafePaths } from '../../../client/cli/bundle/safe-paths.ts';
import type { SourceFile } from '../../../client/cli/bundle/source-file.ts';
import { unpackArchive } from '../../../client/cli/bundle/unpack-archive.ts';
import { showProgress } from '../../../client/cli/progress-bar.ts';
import type { BundleFile } from '../../../client/index.ts';
import { SkerryClient } from '../../../client/index.ts';

let root: string;
/** What stands in for a folder of somebody, and an archive that may be written. */
let folder: string;
let archive: string;
let count = 0;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'skerry-bundle-'));
});

afterAll(() => rm(root, { recursive: true, force: true }));

beforeEach(async () => {
  count += 1;
  const place = path.join(root, String(count));
  folder = path.join(place, 'config');
  archive = path.join(place, 'archive.zip');
  await mkdir(place);
});

function sources(content: Record<string, string>): SourceFile[] {
  return Object.entries(content).map(([name, text]) => ({
    path: name,
    size: Buffer.byteLength(text),
    open: () => Readable.from([Buffer.from(text)]),
  }));
}

async function fill(place: string, content: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(content)) {
    await mkdir(path.dirname(path.join(place, name)), { recursive: true });
    await writeFile(path.join(place, name), text);
  }
}

/** What is in a folder, but for the marker. */
async function contentOf(place: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(place, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile() && !entry.name.startsWith('.skerry-bundle.json')) {
      found[path.relative(place, file)] = await readFile(file, 'utf8');
    }
  }
  return found;
}

describe('a folder that is pushed', () => {
  it('holds all files but those of git and of the pull, in the order of their bytes, and links that stay inside', async () => {
    await fill(folder, {
      'b/x': 'x',
      'b-c': 'y',
      '.hidden': 'h',
      'é/ü': 'n',
      '.git/HEAD': 'no',
      'b/.git/HEAD': 'no',
      '.skerry-bundle.json': '{}',
    });
    await symlink('b/x', path.join(folder, 'link'));
    await symlink('b', path.join(folder, 'folder'));
    const packed = await packFiles(await listFolder(folder), archive);
    const expected = ['.hidden', 'b-c', 'b/x', 'folder/x', 'link', 'é/ü'];
    expect(packed.files.map((file) => file.path)).toEqual(expected);
    expect(packed.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await readArchive(archive)).toEqual(packed);
    const target = path.join(root, 'unpacked');
    await mkdir(target);
    await unpackArchive(archive, packed.files, target);
    expect(await contentOf(target)).toEqual({
      '.hidden': 'h',
      'b-c': 'y',
      'b/x': 'x',
      'folder/x': 'x',
      link: 'x',
      'é/ü': 'n',
    });
  });

  it.each([
    ['leads out', '../archive.zip', 'leads out'],
    ['leads nowhere', 'gone', 'leads nowhere'],
    ['leads to where it is', '.', 'that it is in'],
  ])('holds no link that %s', async (_, target, message) => {
    await fill(folder, { 'a/b': '' });
    await writeFile(archive, '');
    await symlink(target, path.join(folder, 'link'));
    await expect(listFolder(folder)).rejects.toThrow(message);
  });

  it.each([
    ['grows', 1],
    ['shrinks', 3],
  ])('fails where a file %s while it is read: half of it may be old', async (_, size) => {
    const files = sources({ a: 'ab' }).map((file) => ({ ...file, size }));
    await expect(packFiles(files, archive)).rejects.toThrow('a was changed while it was read');
  });

  it('fails where a file has a name that nobody can write', async () => {
    await mkdir(folder);
    await writeFile(Buffer.concat([Buffer.from(`${folder}/bad`), Buffer.from([0xff])]), '');
    await expect(listFolder(folder)).rejects.toThrow('UTF-8');
  });

  it('fails where a file cannot be read', async () => {
    const [file] = sources({ a: 'a' });
    const broken = {
      path: 'b',
      size: 1,
      open: () =>
        new Readable({
          read: () => {
            throw new Error('torn');
          },
        }),
    };
    await expect(packFiles([...(file ? [file] : []), broken], archive)).rejects.toThrow('torn');
  });
});

describe('a version is written only', () => {
  it.each(['', '/a', 'a//b', 'a/', './a', 'a/..', '../a', 'a\\b', 'a\nb', '.Skerry-bundle.json'])(
    'below its folder, never as %j',
    (name) => {
      expect(() => assertSafePaths(['ok', name], 'linux')).toThrow(JSON.stringify(name));
    },
  );

  it('under names that the system takes', () => {
    const names = ['a:b', 'con', 'x/NUL.txt', 'dot.', 'C:/x'];
    for (const name of names) expect(() => assertSafePaths([name], 'win32')).toThrow('cannot be written');
    assertSafePaths(['console', '..data/x', '.a', 'a b/c'], 'win32');
    assertSafePaths(names, 'linux');
    expect(() => assertSafePaths(['a', 'a'])).toThrow('two files');
  });

  it.each<[string, (files: BundleFile[]) => BundleFile[], (bytes: string) => string]>([
    ['has a file too many', (files) => files.slice(1), (bytes) => bytes],
    ['lacks a file', (files) => [...files, { path: 'c', size: 0, sha256: '' }], (bytes) => bytes],
    [
      'has another content',
      (files) => files.map((file) => ({ ...file, sha256: file.path })),
      (bytes) => bytes,
    ],
    ['has more content', (files) => files.map((file) => ({ ...file, size: 1 })), (bytes) => bytes],
    ['has less content', (files) => files.map((file) => ({ ...file, size: 99 })), (bytes) => bytes],
    ['leads out of the folder', (files) => files, (bytes) => bytes.replaceAll('aa/f', '../f')],
    [
      'leads out of it as the version says',
      (files) => files.map((file) => ({ ...file, path: '../f' })),
      (bytes) => bytes.replaceAll('aa/f', '../f'),
    ],
    ['is cut', (files) => files, (bytes) => bytes.slice(0, -30)],
  ])('from an archive that is its own, not from one that %s', async (_, alter, damage) => {
    const { files } = await packFiles(sources({ 'aa/f': 'some text' }), archive);
    const bytes = Buffer.from(damage(await readFile(archive, 'latin1')), 'latin1');
    await writeFile(archive, bytes);
    await mkdir(folder);
    await expect(unpackArchive(archive, alter([...files]), folder)).rejects.toThrow();
    expect(await readdir(path.dirname(folder))).toEqual(['archive.zip', 'config']);
  });
});

describe('a pull', () => {
  const output = { progress: () => showProgress('', 0, undefined) };
  const { signal } = new AbortController();

  /** A reader of a version with this content; `damage` is done to its archive. */
  async function version(number: number, content: Record<string, string>, damage = (bytes: Buffer) => bytes) {
    const file = path.join(root, `${count}-${number}.zip`);
    const { files, digest } = await packFiles(sources(content), file);
    const bytes = damage(await readFile(file));
    const facts = { version: number, digest, files, size: 1, archiveSize: bytes.byteLength };
    const client = new SkerryClient({
      url: 'http://skerry',
      fetch: async (input) =>
        String(input).includes('/archive') ? new Response(new Uint8Array(bytes)) : Response.json(facts),
    });
    const reader = await client.bundles.open('envoy');
    if (reader === undefined) throw new Error('There is no version.');
    return reader;
  }

  const siblings = async () => (await readdir(path.dirname(folder))).filter((name) => name !== 'archive.zip');

  it('makes the folder hold the version and nothing else, and touches nothing where it does', async () => {
    const first = await version(1, { a: '1', 'b/c': '1' });
    expect(await pullVersion(first, folder, { output, signal })).toBe(true);
    expect(await contentOf(folder)).toEqual({ a: '1', 'b/c': '1' });
    expect(await pullVersion(first, folder, { output, signal })).toBe(false);
    expect(await pullVersion(await version(2, { d: '2' }), folder, { output, signal })).toBe(true);
    expect(await contentOf(folder)).toEqual({ d: '2' });
    expect(await pullVersion(await version(3, { d: '2' }), folder, { output, signal })).toBe(false);
    expect(JSON.parse(await readFile(path.join(folder, '.skerry-bundle.json'), 'utf8'))).toMatchObject({
      bundle: 'envoy',
      version: 3,
    });
    expect(await siblings()).toEqual(['config']);
  });

  it.each<[string, () => Promise<void>]>([
    ['holds files of somebody', () => fill(folder, { mine: 'm' })],
    [
      'was changed',
      async () => {
        await pulled();
        await fill(folder, { a: 'changed' });
      },
    ],
    [
      'got another file',
      async () => {
        await pulled();
        await fill(folder, { '.git/HEAD': 'mine' });
      },
    ],
    [
      'got a link',
      async () => {
        await pulled();
        await symlink('a', path.join(folder, 'link'));
      },
    ],
    [
      'lost a file',
      async () => {
        await pulled();
        await rm(path.join(folder, 'a'));
      },
    ],
    ['is none', () => writeFile(folder, 'mine')],
    [
      'is a link',
      async () => {
        await mkdir(`${folder}-real`);
        await symlink(`${folder}-real`, folder);
      },
    ],
  ])('leaves a folder alone that %s, unless it is forced', async (_, make) => {
    await make();
    const before = await readdir(path.dirname(folder), { recursive: true });
    const next = await version(2, { b: '2' });
    await expect(pullVersion(next, folder, { output, signal })).rejects.toThrow(folder);
    expect(await readdir(path.dirname(folder), { recursive: true })).toEqual(before);
    await pullVersion(next, folder, { output, signal, force: true });
    expect(await contentOf(folder)).toEqual({ b: '2' });
  });

  async function pulled(): Promise<void> {
    await pullVersion(await version(1, { a: '1' }), folder, { output, signal });
  }

  it('that fails leaves the folder as it was, and nothing beside it', async () => {
    await pulled();
    const damaged = await version(2, { a: '2' }, (bytes) => bytes.subarray(0, 40));
    await expect(pullVersion(damaged, folder, { output, signal })).rejects.toThrow();
    expect([await contentOf(folder), await siblings()]).toEqual([{ a: '1' }, ['config']]);
  });

  it('does not replace what is changed while it downloads', async () => {
    await pulled();
    const next = await version(2, { a: '2' }, (bytes) => bytes);
    const meddling = {
      progress: (label: string) => {
        const progress = showProgress('', 0, undefined);
        return {
          ...progress,
          end: () => label === 'unpacking' && writeFileSync(path.join(folder, 'a'), 'mine'),
        };
      },
    };
    await expect(pullVersion(next, folder, { output: meddling as never, signal })).rejects.toThrow(
      'was changed',
    );
    expect(await contentOf(folder)).toEqual({ a: 'mine' });
  });

  it('keeps a folder to those who may look into it', async () => {
    await pulled();
    await chmod(folder, 0o700);
    await pullVersion(await version(2, { a: '2' }), folder, { output, signal });
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  it('takes no more of an archive than there should be', async () => {
    const endless = await version(2, { a: '2' });
    const reader = { ...endless, files: endless.files, bundle: 'envoy', version: 2 } as typeof endless;
    reader.archive = () =>
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(100_000)) });
    await expect(pullVersion(reader, folder, { output, signal })).rejects.toThrow('larger than');
    expect(await siblings()).toEqual([]);
  });

  it('gives a folder back that was changed while it was looked at', async () => {
    await fill(folder, { a: 'old' });
    let looks = 0;
    const confirm = async (place: string) => {
      if ((await readFile(path.join(place, 'a'), 'utf8')) === 'mine') throw new Error('was changed');
      looks += 1;
      if (looks === 1) await fill(place, { a: 'mine' });
    };
    const replacing = replaceFolder(folder, (fresh) => fill(fresh, { a: 'new' }), confirm);
    await expect(replacing).rejects.toThrow('was changed');
    expect([await contentOf(folder), await siblings()]).toEqual([{ a: 'mine' }, ['config']]);
  });

  it('follows a push from the folder', async () => {
    await pulled();
    await fill(folder, { a: 'mine' });
    const client = new SkerryClient({
      url: 'http://skerry',
      fetch: async (_, init) => Response.json(init?.method === 'PUT' ? { version: 2 } : { items: [] }),
    });
    await pushPath('envoy', folder, { client, output, signal });
    await pullVersion(await version(3, { a: '3' }), folder, { output, signal });
    expect(await contentOf(folder)).toEqual({ a: '3' });
    // What nobody has pulled stays somebody's own.
    await rm(path.join(folder, '.skerry-bundle.json'));
    await pushPath('envoy', folder, { client, output, signal });
    await expect(pullVersion(await version(4, { a: '4' }), folder, { output, signal })).rejects.toThrow(
      '--force',
    );
  });

  it('repairs what one has left that was killed', async () => {
    await pulled();
    const dead = path.join(path.dirname(folder), '.config.skerry-new-999999999');
    // Between the two renamings.
    await fill(dead, { 'files/a': 'half' });
    await rename(folder, path.join(dead, 'old'));
    await writeFile(path.join(dead, 'old/.skerry-bundle.json~'), 'half');
    const damaged = await version(2, { a: '2' }, () => Buffer.alloc(0));
    await expect(pullVersion(damaged, folder, { output, signal })).rejects.toThrow();
    expect([await contentOf(folder), await siblings()]).toEqual([{ a: '1' }, ['config']]);
    // Before the old one was removed.
    await fill(dead, { 'old/a': '0' });
    await pullVersion(await version(3, { a: '2' }), folder, { output, signal });
    expect([await contentOf(folder), await siblings()]).toEqual([{ a: '2' }, ['config']]);
  });
});

describe('a push', () => {
  const { signal } = new AbortController();

  /** A client of a Skerry that takes everything, where `newest` is the newest version. */
  function listening(newest?: { readonly digest: string }) {
    const requests: string[] = [];
    const client = new SkerryClient({
      url: 'http://skerry',
      async fetch(input, init) {
        const { pathname, search } = new URL(String(input));
        const comp = /comp=(\w+)/.exec(search)?.[1];
        requests.push(`${init?.method ?? 'GET'} ${comp ?? pathname.slice(pathname.lastIndexOf('/') + 1)}`);
        if (pathname.endsWith('/commit')) requests.push(String(init?.body));
        if (pathname.endsWith('/drafts')) {
          return Response.json({ draft: 'd', upload: { url: 'http://blobs/?sas', maxBytes: 1e9 } });
        }
        return Response.json(init?.method === 'GET' ? { items: newest ? [newest] : [] } : { version: 2 });
      },
    });
    const options = { client, signal, output: { progress: () => showProgress('', 0, undefined) } };
    return { options, requests };
  }

  it('sends a small archive at once, and nothing that is there already', async () => {
    await fill(folder, { a: 'a' });
    const first = listening();
    expect(await pushPath('envoy', folder, first.options)).toEqual({ version: 2 });
    expect(first.requests).toEqual(['GET versions', 'PUT versions']);
    const { digest } = await packFiles(await listFolder(folder), archive);
    const again = listening({ digest });
    expect(await pushPath('envoy', folder, again.options)).toEqual({ digest, unchanged: true });
    expect(again.requests).toEqual(['GET versions']);
    // Whether a condition holds is not for the client to say.
    await pushPath('envoy', folder, { ...again.options, ifRevision: 7 });
    expect(again.requests.slice(1)).toEqual(['GET versions', 'PUT versions']);
  });

  it('brings a large zip to storage in blocks, and has it published by its digest', async () => {
    const zip = new ZipFile();
    // Nothing is easier to pack, and it is not packed.
    zip.addBuffer(Buffer.alloc(51 * 1024 * 1024), './a//zeros', { compress: false });
    zip.end();
    await writeFile(archive, zip.outputStream as Readable);
    const { options, requests } = listening();
    await pushPath('envoy', archive, { ...options, message: 'm' });
    const zeros = { path: 'a/zeros', size: 51 * 1024 * 1024, sha256: hashOf(Buffer.alloc(51 * 1024 * 1024)) };
    expect(requests).toEqual([
      'GET versions',
      'POST drafts',
      ...Array(7).fill('PUT block'),
      'PUT blocklist',
      'POST commit',
      JSON.stringify({ message: 'm', digest: contentDigest([zeros]) }),
    ]);
    await rm(archive);
  });

  it('refuses what is no archive, before it says anything to Skerry', async () => {
    await fill(folder, { a: 'plain text' });
    const { options, requests } = listening();
    await expect(pushPath('envoy', path.join(folder, 'a'), options)).rejects.toThrow('neither a folder nor');
    await expect(pushPath('envoy', path.join(folder, 'b'), options)).rejects.toThrow('ENOENT');
    expect(requests).toEqual([]);
  });
});

function hashOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

it('a digest is that of the sorted lines of the files', () => {
  const file = (name: string) => ({ path: name, size: 1, sha256: 'ab' });
  // Bytes sort the two otherwise than the units of JavaScript's strings.
  const digest = contentDigest([file('\u{10000}'), file('\uffee'), file('a')]);
  const lines = `ab 1 a\nab 1 \uffee\nab 1 \u{10000}\n`;
  expect(digest).toBe(`sha256:${hashOf(lines)}`);
});
