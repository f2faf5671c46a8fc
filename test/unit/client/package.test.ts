import { execFile } from 'node:child_process';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageFacts from '../../../package.json' with { type: 'json' };
import { makeUserFolder } from '../../e2e/user-folder.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const MOST_KILOBYTES = 64;

let folder: string;

beforeAll(async () => {
  folder = await makeUserFolder('skerry');
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the package', () => {
  it('bundles for a browser, alone', async () => {
    const { outputFiles, metafile } = await build({
      stdin: { contents: "export * from 'skerry/client';", resolveDir: folder },
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'browser',
      metafile: true,
      write: false,
      logLevel: 'silent',
    });
    const [bundle] = outputFiles;
    const kilobytes = (bundle?.contents.length ?? 0) / 1000;
    const zipped = gzipSync(bundle?.contents ?? '').length / 1000;
    console.log(`skerry/client in a browser: ${kilobytes.toFixed(1)} kB, ${zipped.toFixed(1)} kB zipped`);
    expect(kilobytes).toBeLessThan(MOST_KILOBYTES);
    const inputs = Object.keys(metafile.inputs).filter((input) => !input.includes('dist/client/'));
    expect(inputs).toEqual(['<stdin>']);
    expect(bundle?.text).not.toMatch(/node:|\bprocess\b|\bBuffer\b/);
  });

  it('has a command that says so where it is not built yet', async () => {
    const bin = path.join(folder, 'unbuilt/client/cli/skerry.mjs');
    await mkdir(path.dirname(bin), { recursive: true });
    await copyFile(path.join(root, packageFacts.bin.skerry), bin);
    await expect(promisify(execFile)(process.execPath, [bin])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('npm run build'),
    });
  });

  it('brings types that a strict user compiles against, whatever their libraries', async () => {
    await writeFile(
      path.join(folder, 'user.ts'),
      `import { SkerryClient, verifyWebhook, type Leadership } from 'skerry/client';
       const client = new SkerryClient({ url: 'http://127.0.0.1:7071' });
       const config = await client.config('shop', { parse: (value) => ({ open: value === true }) });
       export const open: boolean = config.value.open;
       const entry = await client.store('s').broker<{ up: boolean }>('a/').get('b');
       export let up: boolean | undefined = entry?.value.up;
       export let leadership: Leadership;
       const event = await verifyWebhook<{ up: boolean }>({ payload: '', headers: new Headers(), secrets: 'whsec_' });
       if (event.type !== 'skerry.test') up ||= event.data.after?.up;
       // @ts-expect-error
       client.store('s').put('k', () => {});`,
    );
    const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
    const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', ''];
    const libraries = ['--lib', 'es2022,dom,esnext.disposable'];
    const compiled = promisify(execFile)(process.execPath, [compiler, ...flags, ...libraries, 'user.ts'], {
      cwd: folder,
    });
    await expect(compiled.catch((error) => error.stdout)).resolves.toMatchObject({ stdout: '' });
  });
});
