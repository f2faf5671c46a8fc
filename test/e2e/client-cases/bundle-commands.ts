import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../../client/cli/run-command-line.ts';
import { client, NS, folder as root, url } from './world.ts';

const isLong = process.env.SKERRY_TEST_LONG !== undefined;

let folder: string;

/** Runs a command in this process, which spares its start. */
async function run(...words: string[]) {
  const out = new PassThrough();
  const err = new PassThrough();
  const { signal } = new AbortController();
  const env = { SKERRY_URL: url(), SKERRY_NS: NS, HOME: folder };
  const code = await runCommandLine(words, { env, folder, input: Readable.from([]), out, err, signal });
  out.end();
  err.end();
  return { code, out: await text(out), err: await text(err) };
}

async function write(name: string, content: string | Uint8Array): Promise<void> {
  await writeFile(path.join(folder, name), content);
}

async function read(name: string): Promise<string> {
  return await readFile(path.join(folder, name), 'utf8');
}

describe('bundle commands', () => {
  beforeAll(async () => {
    folder = path.join(root, 'bundles');
    await mkdir(path.join(folder, 'config/clusters'), { recursive: true });
  });

  it('push a folder, pull it, and push it back', async () => {
    await write('config/lds.yaml', 'listeners: []\n');
    await write('config/clusters/web.yaml', 'timeout: 3\n');
    expect(await run('bundle', 'push', 'envoy', 'config', '--message', 'one', '--label', 'v1')).toEqual({
      code: 0,
      out: 'version 1 of envoy: 2 files, 25 B\n',
      err: '',
    });
    expect(await run('bundle', 'pull', 'envoy', 'pulled')).toMatchObject({
      code: 0,
      out: 'pulled holds version 1: 2 files, 25 B\n',
    });
    expect(await read('pulled/clusters/web.yaml')).toBe('timeout: 3\n');
    expect((await run('bundle', 'push', 'envoy', 'pulled')).out).toBe(
      'version 1 of envoy has that content already\n',
    );

    await write('pulled/lds.yaml', 'listeners: [web]\n');
    const refused = await run('bundle', 'pull', 'envoy', 'pulled');
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('was changed since version 1') });
    const pushed = await run('bundle', 'push', 'envoy', 'pulled', '--channel', 'stable', '--json');
    expect(JSON.parse(pushed.out)).toMatchObject({ version: 2, channel: { channel: 'stable', version: 2 } });
    expect(await run('bundle', 'pull', 'envoy', 'pulled', '--version', 'v1', '--force')).toMatchObject({
      code: 0,
    });
    expect(await read('pulled/lds.yaml')).toBe('listeners: []\n');
    const followed = await run('bundle', 'pull', 'envoy', 'pulled', '--version', 'stable', '--consumer', 'a');
    expect(followed.out).toMatch(/^pulled holds version 2/);
    expect(await run('bundle', 'pull', 'envoy', 'pulled', '--version', '9')).toMatchObject({ code: 3 });
  });

  it('list, show and roll back versions', async () => {
    expect((await run('bundle', 'list')).out).toMatch(/^NAME .*\n(.*\n)*envoy +2 /);
    expect((await run('bundle', 'list', 'envoy')).out).toMatch(/^VERSION .*\n2 .*\n1 .* v1 +one\n$/);
    expect((await run('bundle', 'show', 'envoy', '1')).out).toMatch(
      /message +one\n(.*\n)*\nSIZE .*\n11 .* clusters\/web.yaml\n/,
    );
    expect((await run('bundle', 'rollback', 'envoy', 'v1', '--message', 'back')).out).toBe(
      'version 3 of envoy has the content of version 1\n',
    );
    expect(await run('bundle', 'push', 'envoy', 'config', '--if-revision', '1')).toMatchObject({ code: 4 });
  });

  it('compare versions', async () => {
    expect((await run('bundle', 'diff', 'envoy', '1', '2')).out).toBe(
      '~ lds.yaml  14 B -> 17 B\n  @@ -1,1 +1,1 @@\n  -listeners: []\n  +listeners: [web]\n',
    );
    expect((await run('bundle', 'diff', 'envoy', '1', '3')).out).toBe(
      'versions 1 and 3 have the same content\n',
    );
  });

  it('move channels', async () => {
    const steps = ['--step', '10:3600', '--step', '50:3600', '--max-failures', '2'];
    expect((await run('bundle', 'activate', 'envoy', 'stable', '3', ...steps)).out).toBe(
      'stable stands for version 2; version 3 rolling at 10% (step 1 of 2)\n',
    );
    expect((await run('bundle', 'pause', 'envoy', 'stable')).out).toContain('version 3 paused at 10%');
    expect((await run('bundle', 'channels', 'envoy')).out).toMatch(/\nstable +2 .*version 3 paused/);
    expect((await run('bundle', 'resume', 'envoy', 'stable')).out).toContain('rolling');
    expect((await run('bundle', 'abort', 'envoy', 'stable')).out).toContain('version 3 aborted');
    expect(await run('bundle', 'resume', 'envoy', 'stable')).toMatchObject({ code: 4 });
    await write('gates.json', '{"required":["cds.yaml"]}');
    expect(await run('bundle', 'activate', 'envoy', 'stable', '3', '--gates', 'gates.json')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^required cds.yaml: /),
    });
    expect(await run('bundle', 'activate', 'envoy', 'stable', '3', '--step', '10')).toMatchObject({
      code: 2,
    });
    await client.bundles.consumers.acknowledge('envoy', { consumer: 'host1', version: 3 });
    expect((await run('bundle', 'consumers', 'envoy')).out).toMatch(/\nhost1 +3 /);
  });

  it('push archives', async () => {
    await run('bundle', 'pull', 'envoy', 'copy');
    const zip = await new Response((await client.bundles.open('envoy'))?.archive()).bytes();
    await write('a.zip', zip);
    expect((await run('bundle', 'push', 'other', 'a.zip')).out).toBe('version 1 of other: 2 files, 25 B\n');
    await write('a.txt', 'a');
    expect(await run('bundle', 'push', 'other', 'a.txt')).toMatchObject({ code: 1 });
  });

  it.runIf(isLong)('push and pull large folders by way of storage', async () => {
    for (const part of ['a', 'b', 'c']) await write(`config/${part}`, randomBytes(30 * 1024 * 1024));
    expect((await run('bundle', 'push', 'large', 'config')).out).toMatch(/^version 1 of large: 5 files/);
    expect((await run('bundle', 'pull', 'large', 'large')).out).toMatch(/^large holds version 1/);
    expect((await run('bundle', 'push', 'large', 'large')).out).toMatch(/^version 1 of large has that/);
  });
});
