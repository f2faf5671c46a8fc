import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { secretKeyOf } from '../../../infra/local/launch/secret-key.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-test-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('the key of a data folder is made once, and only its owner may read it', async () => {
  const key = await secretKeyOf(folder);
  expect(Buffer.from(key, 'base64')).toHaveLength(32);
  expect(await secretKeyOf(folder)).toBe(key);
  expect(await readdir(folder)).toEqual(['secret-key']);
  if (process.platform !== 'win32') {
    expect((await stat(path.join(folder, 'secret-key'))).mode & 0o777).toBe(0o600);
  }
});

test('what a killed run left half written is not taken for a key', async () => {
  await writeFile(path.join(folder, 'secret-key.draft'), 'half');
  expect(Buffer.from(await secretKeyOf(folder), 'base64')).toHaveLength(32);
  expect(await readdir(folder)).toEqual(['secret-key']);
});
