import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileSet } from '../../../client/cli/sync/file-set.ts';
import { FolderWatcher } from '../../../client/cli/sync/folder-watcher.ts';

let folder: string;
let faults: string[];
let now: number;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-files-'));
  faults = [];
  now = 0;
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const at = (...names: string[]) => path.join(folder, ...names);

async function write(name: string, ...keys: string[]): Promise<void> {
  const data = keys.map((key) => ({ key, value: key }));
  await mkdir(path.dirname(at(name)), { recursive: true });
  await writeFile(at(name), JSON.stringify({ data }));
}

function keysOf(files: FileSet): Record<string, string[]> {
  return Object.fromEntries(
    [...files.entries]
      .sort()
      .map(([file, entries]) => [path.relative(folder, file), entries.map(({ key }) => key)]),
  );
}

async function loaded(paths = [folder], except?: string): Promise<FileSet> {
  const files = new FileSet({ paths, except, store: 's', now: () => now });
  await files.load();
  return files;
}

const refresh = (files: FileSet) => files.refresh((reason) => faults.push(reason));

describe('a set of files', () => {
  it('is what folders hold, nested ones too, but for hidden names, other extensions and the status file', async () => {
    await write('one.json', 'a');
    await write('deep/er/two.yaml', 'b');
    await write('.hidden/three.json', 'c');
    await write('.one.json.swp.json', 'd');
    await write('status.json', 'e');
    await writeFile(at('notes.txt'), 'not for us');
    await symlink(at('deep'), at('loop'));
    await symlink(folder, at('deep/back'));
    expect(keysOf(await loaded([folder, at('one.json')], at('status.json')))).toEqual({
      'one.json': ['a'],
      'deep/er/two.yaml': ['b'],
    });
  });

  it('cannot begin with a file that is wrong, missing or of another extension', async () => {
    await write('good.json', 'a');
    await writeFile(at('wrong.json'), '{');
    await writeFile(at('notes.txt'), '{}');
    await expect(loaded()).rejects.toThrow(/wrong\.json: it cannot be decoded/);
    await expect(loaded([at('none')])).rejects.toThrow(/no such file/);
    await expect(loaded([at('notes.txt')])).rejects.toThrow(/extension must be one of \.json, \.yaml, \.yml/);
  });

  it('sees what is created, changed, replaced, moved, renamed and removed, at any depth', async () => {
    await write('one.json', 'a');
    const files = await loaded();
    expect(await refresh(files)).toBe(false);

    await write('new/deep/two.json', 'b');
    await write('one.json', 'a', 'aa');
    expect(await refresh(files)).toBe(true);
    expect(keysOf(files)).toEqual({ 'one.json': ['a', 'aa'], 'new/deep/two.json': ['b'] });

    await write('.draft', 'x', 'xx');
    await rename(at('.draft'), at('one.json'));
    await rename(at('new'), at('moved'));
    expect(await refresh(files)).toBe(true);
    expect(keysOf(files)).toEqual({ 'one.json': ['x', 'xx'], 'moved/deep/two.json': ['b'] });

    await rm(at('moved'), { recursive: true });
    await rename(at('one.json'), at('one.txt'));
    expect(await refresh(files)).toBe(true);
    expect(keysOf(files)).toEqual({});
    expect(faults).toEqual([]);
  });

  it('keeps what a file said that can no longer be decoded, and says so once', async () => {
    await write('one.json', 'a');
    await write('two.json', 'b');
    const files = await loaded();
    await writeFile(at('one.json'), '{"data": [{');
    await write('two.json', 'b', 'bb');
    expect(await refresh(files)).toBe(true);
    expect(await refresh(files)).toBe(false);
    expect(keysOf(files)).toEqual({ 'one.json': ['a'], 'two.json': ['b', 'bb'] });
    expect(faults).toEqual([expect.stringMatching(/one\.json: it cannot be decoded/)]);

    await write('one.json', 'c');
    expect(await refresh(files)).toBe(true);
    expect(keysOf(files)).toMatchObject({ 'one.json': ['c'] });
  });

  it('sees a mounted configuration map of Kubernetes change, which swaps a link to a hidden folder', async () => {
    await write('..one/app.json', 'a');
    await write('..two/app.json', 'b');
    await symlink('..one', at('..data'));
    await symlink('..data/app.json', at('app.json'));
    const files = await loaded();
    expect(keysOf(files)).toEqual({ 'app.json': ['a'] });
    await symlink('..two', at('..new'));
    await rename(at('..new'), at('..data'));
    await rm(at('..one'), { recursive: true });
    expect(await refresh(files)).toBe(true);
    expect(keysOf(files)).toEqual({ 'app.json': ['b'] });
  });

  it('believes that a file is empty only when it stays so: programs empty files and then write them', async () => {
    await write('one.json', 'a');
    const files = await loaded();
    await writeFile(at('one.json'), '');
    expect(await refresh(files)).toBe(false);
    await write('one.json', 'b');
    expect(await refresh(files)).toBe(true);
    expect(keysOf(files)).toEqual({ 'one.json': ['b'] });

    await writeFile(at('one.json'), '');
    expect(await refresh(files)).toBe(false);
    now += 4_999;
    expect(await refresh(files)).toBe(false);
    expect(keysOf(files)).toEqual({ 'one.json': ['b'] });
    now += 1;
    expect(await refresh(files)).toBe(true);
    expect(keysOf(files)).toEqual({ 'one.json': [] });
    expect(await refresh(files)).toBe(false);
  });

  it('keeps what was in a named folder that is gone, and forgets what was in a named file that is', async () => {
    await write('mount/one.json', 'a');
    await write('two.json', 'b');
    const files = await loaded([at('mount'), at('two.json')]);
    await rename(at('mount'), at('elsewhere'));
    await rm(at('two.json'));
    expect(await refresh(files)).toBe(true);
    expect(await refresh(files)).toBe(false);
    expect(keysOf(files)).toEqual({ 'mount/one.json': ['a'] });
    expect(faults).toEqual([expect.stringMatching(/mount: the folder is gone/)]);

    await write('mount/one.json', 'aa');
    expect(await refresh(files)).toBe(true);
    expect(keysOf(files)).toEqual({ 'mount/one.json': ['aa'] });
  });
});

describe('a watcher of folders', () => {
  const LONG = 30_000;
  const { signal } = new AbortController();

  it('tells of a burst of events once it is over, in folders that came later too', async () => {
    await write('one.json', 'a');
    const files = await loaded();
    const watcher = new FolderWatcher();
    try {
      expect(watcher.follow(files.folders)).toBe(true);
      expect(watcher.follow(files.folders)).toBe(false);
      const startedAt = Date.now();
      await write('one.json', 'b');
      await write('deep/two.json', 'c');
      await watcher.settle(LONG, signal);
      expect(await refresh(files)).toBe(true);
      expect(keysOf(files)).toEqual({ 'one.json': ['b'], 'deep/two.json': ['c'] });

      expect(watcher.follow(files.folders)).toBe(true);
      await write('deep/two.json', 'd');
      await watcher.settle(LONG, signal);
      expect(await refresh(files)).toBe(true);
      expect(keysOf(files)).toMatchObject({ 'deep/two.json': ['d'] });
      expect(Date.now() - startedAt).toBeLessThan(LONG);
    } finally {
      watcher.close();
    }
  });

  it('looks without events after a while, and ends with its signal', async () => {
    const watcher = new FolderWatcher();
    await watcher.settle(10, signal);
    const ending = new AbortController();
    const waiting = watcher.settle(LONG, ending.signal);
    ending.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    watcher.close();
  });
});
