import { existsSync, globSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleIfChanged } from '../../../infra/build/bundle-if-changed.ts';

let folder: string;
let outFolder: string;
const lines: string[] = [];

/** Bundling computes for seconds, so that all tests look at the same bundle. */
const bundle = () => bundleIfChanged({ outFolder, log: (line) => lines.push(line) });

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-test-'));
  outFolder = path.join(folder, 'dist');
  await bundle();
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function functionGroups(): Promise<string[]> {
  const folders = await readdir('functions', { withFileTypes: true });
  return folders
    .map(({ name }) => name)
    .filter((name) => existsSync(path.join('functions', name, 'index.ts')));
}

function codeFiles(): string[] {
  return globSync('**/*.js', { cwd: outFolder });
}

test('each trigger group becomes one file that package.json hands to the host, shared code does not', async () => {
  const groups = await functionGroups();
  const { main } = JSON.parse(await readFile('package.json', 'utf8'));
  const loaded = globSync(main, { cwd: folder });
  expect(loaded.sort()).toEqual(groups.map((group) => path.join('dist', 'functions', `${group}.js`)).sort());
  expect(lines).toEqual([
    expect.stringMatching(
      new RegExp(`^bundled functions: ${groups.length} entries, \\d+\\.\\d MB in \\d+ ms$`),
    ),
  ]);
});

test('an unchanged bundle is not made again', async () => {
  await bundle();
  expect(lines.at(-1)).toBe('bundled functions: unchanged');
});

test('one whose inputs changed is; that leaves what is the same alone and removes what is no longer produced', async () => {
  const files = codeFiles();
  const modified = () =>
    Promise.all(files.map(async (file) => (await stat(path.join(outFolder, file))).mtimeMs));
  const before = await modified();
  await writeFile(path.join(outFolder, 'functions', 'gone.js'), '');
  const recordFile = path.join(outFolder, 'inputs.json');
  const record = await readFile(recordFile, 'utf8');
  await writeFile(recordFile, record.replace(/"package-lock.json":"[^"]+"/, '"package-lock.json":"0 0"'));

  await bundle();
  expect(lines.at(-1)).toContain('entries');
  expect(codeFiles()).toEqual(files);
  expect(await modified()).toEqual(before);
});
