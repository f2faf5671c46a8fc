import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lazyCommonJs } from '../../../infra/build/lazy-commonjs.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-test-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('a CommonJS package that is loaded lazily has the same exports bundled as in Node', async () => {
  await build({
    stdin: {
      contents: "export const lazy = await import('ajv-formats'); export const own = await import('zod');",
      resolveDir: process.cwd(),
    },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    plugins: [lazyCommonJs],
    logLevel: 'silent',
  });
  const bundled = await import(pathToFileURL(path.join(folder, 'stdin.mjs')).href);
  const inNode = await import('ajv-formats');
  expect(Object.keys(bundled.lazy).sort()).toEqual(
    Object.keys(inNode)
      .filter((name) => name !== 'module.exports')
      .sort(),
  );
  expect(typeof bundled.lazy.default).toBe(typeof inNode.default);
  expect(typeof bundled.lazy.default.default).toBe(typeof inNode.default.default);
  expect(bundled.own.z).toBeDefined();
});
