import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findCommit } from '../../../../client/cli/environment/file-commit.ts';
import { readDefinition } from '../../../../client/cli/environment/read-definition.ts';
import {
  describePlace,
  type Repository,
  withRepository,
} from '../../../../client/cli/environment/repository.ts';

const { signal } = new AbortController();
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-repository-test-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
  await writeFile(path.join(folder, file), content);
}

function git(...words: readonly string[]): string {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'commit.gpgsign=false'];
  return String(execFileSync('git', [...identity, ...words], { cwd: folder, stdio: 'pipe' })).trim();
}

async function read(place = '.'): Promise<Repository> {
  return await withRepository(place, { folder, signal }, async (repository) => repository);
}

describe('a repository', () => {
  it('holds templates, those that others depend on first, and environments', async () => {
    await write('templates/a-cluster.yaml', 'name: Cluster\ndependsOn: [network]\n');
    await write('templates/b-network.json', '{"id":"network","name":"Network"}');
    await write('templates/.c.yaml', '?');
    await write('templates/notes.md', '?');
    await write('environments/staging.yml', 'name: Staging\ndestructionPlannedOn: 2030-01-02T03:04:05Z\n');
    const { templates, environments } = await read();
    expect(templates.map(({ id }) => id)).toEqual(['network', 'a-cluster']);
    expect(environments).toEqual([
      {
        id: 'staging',
        content: { name: 'Staging', destructionPlannedOn: '2030-01-02T03:04:05Z' },
        file: 'environments/staging.yml',
      },
    ]);
  });

  it.each([
    ['neither folder', {}, 'neither a folder'],
    ['an id twice', { 'templates/a.yaml': 'name: A', 'templates/b.yaml': 'id: a' }, 'both define "a"'],
    ['no object', { 'templates/a.yaml': '- 1' }, 'does not hold an object'],
    ['no YAML', { 'templates/a.yaml': 'a: [' }, 'templates/a.yaml is not YAML'],
    ['several documents', { 'templates/a.yaml': 'name: A\n---\nname: B' }, 'holds several documents'],
    ['no JSON', { 'environments/a.json': '{' }, 'environments/a.json is not JSON'],
    ['an id that is no text', { 'templates/a.yaml': 'id: 1' }, 'names no "id"'],
  ])('with %s is refused', async (_, files, message) => {
    for (const [file, content] of Object.entries(files)) await write(file, content);
    await expect(read()).rejects.toThrow(message);
  });

  it('is fetched by git, whose commits tell which version a file is from', async () => {
    git('init', '--quiet');
    await write('templates/a.yaml', 'name: A');
    git('add', '.');
    git('commit', '--quiet', '-m', 'one');
    const first = git('rev-parse', 'HEAD');
    await write('templates/b.yaml', 'name: B');
    git('add', '.');
    git('commit', '--quiet', '-m', 'two');
    await write('templates/b.yaml', 'name: Changed');
    const commitOf = async (root: string, file: string) => await findCommit(path.join(root, file), signal);
    expect(await commitOf(folder, 'templates/a.yaml')).toBe(first);
    expect(await commitOf(folder, 'templates/b.yaml')).toBeUndefined();
    const fetched = await withRepository(`file://${folder}`, { folder: '/', signal }, async (repository) => {
      const commits = repository.templates.map(({ file }) => commitOf(repository.folder, file));
      return {
        names: repository.templates.map(({ content }) => content.name),
        commits: await Promise.all(commits),
      };
    });
    expect(fetched).toEqual({ names: ['A', 'B'], commits: [first, git('rev-parse', 'HEAD')] });
    await expect(read(`file://${folder}/nowhere`)).rejects.toThrow('cannot be fetched');
  });
});

it('a definition is in a file, and not in a folder', async () => {
  await write('templates/a.yaml', 'name: A');
  await expect(readDefinition('b.yaml', { folder })).rejects.toThrow('There is no file b.yaml.');
  await expect(readDefinition('templates', { folder })).rejects.toThrow('templates is a folder');
});

it('a definition that is piped in names its id', async () => {
  const source = (content: string) => ({ folder, readInput: async () => Buffer.from(content) });
  expect(await readDefinition('-', source('{"id":"a","name":"A"}'))).toMatchObject({ id: 'a' });
  await expect(readDefinition('-', source('name: A'))).rejects.toThrow('names no "id"');
});

it.each([
  ['https://alice:pass@git.example.com/a.git', 'https://git.example.com/a.git'],
  ['https://ghp_token@git.example.com/a.git', 'https://git.example.com/a.git'],
  ['http://git.example.com:8080/a', 'http://git.example.com:8080/a'],
  ['ssh://git:pass@git.example.com/a.git', 'ssh://git@git.example.com/a.git'],
  ['git@git.example.com:a/b.git', 'git@git.example.com:a/b.git'],
  ['environments', '/folder/environments'],
])('%s is told to others as %s', (place, told) => {
  expect(describePlace(place, '/folder')).toBe(told);
});
