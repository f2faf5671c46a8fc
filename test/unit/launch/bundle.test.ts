import { existsSync, globSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bundleFunctions } from '../../../infra/build/bundle.ts';
import { bundleIfChanged } from '../../../infra/build/bundle-if-changed.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-test-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function functionGroups(): Promise<string[]> {
  const folders = await readdir('functions', { withFileTypes: true });
  return folders
    .map(({ name }) => name)
    .filter((name) => existsSync(path.join('functions', name, 'index.ts')));
}

function codeFiles(): string[] {
  return globSync('**/*.js', { cwd: folder });
}

test('each trigger group becomes one file that package.json hands to the host, shared code does not', async () => {
  const lines: string[] = [];
  const groups = await functionGroups();
  await bundleFunctions({ outFolder: path.join(folder, 'dist'), log: (line) => lines.push(line) });

  const { main } = JSON.parse(await readFile('package.json', 'utf8'));
  const loaded = globSync(main, { cwd: folder });
  expect(loaded.sort()).toEqual(groups.map((group) => path.join('dist', 'functions', `${group}.js`)).sort());
  expect(lines).toEqual([
    expect.stringMatching(
      new RegExp(`^bundled functions: ${groups.length} entries, \\d+\\.\\d MB in \\d+ ms$`),
    ),
  ]);
});

test('a second build leaves what is the same alone and removes what is no longer produced', async () => {
  await bundleFunctions({ outFolder: folder });
  const files = codeFiles();
  const modified = () =>
    Promise.all(files.map(async (file) => (await stat(path.join(folder, file))).mtimeMs));
  const before = await modified();
  await writeFile(path.join(folder, 'functions', 'gone.js'), '');

  await bundleFunctions({ outFolder: folder });
  expect(codeFiles()).toEqual(files);
  expect(await modified()).toEqual(before);
});

test('an unchanged bundle is not made again, one whose inputs changed is', async () => {
  const lines: string[] = [];
  const bundle = () => bundleIfChanged({ outFolder: folder, log: (line) => lines.push(line) });
  await bundle();
  await bundle();
  expect(lines).toEqual([expect.stringContaining('entries'), 'bundled functions: unchanged']);

  const recordFile = path.join(folder, 'inputs.json');
  const record = await readFile(recordFile, 'utf8');
  await writeFile(recordFile, record.replace(/"package-lock.json":"[^"]+"/, '"package-lock.json":"0 0"'));
  await bundle();
  expect(lines.at(-1)).toContain('entries');
});
