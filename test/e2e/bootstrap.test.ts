import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { SkerryClient } from '../../client/index.ts';
import { runInProcess } from './command-line.ts';
import { shareSkerry } from './share-skerry.ts';

const TEMPLATE = {
  name: 'A shop',
  parameters: { currency: { type: 'string' } },
  actions: [
    {
      name: 'configure',
      executor: 'config',
      command: { apps: { shop: { currency: `\${parameters.currency}` } } },
    },
  ],
  resources: [{ id: 'settings', actions: { create: 'configure' } }],
};
const BASE = { name: 'What all have', resources: [{ id: 'network' }] };

let skerry: { readonly url: string };
let client: SkerryClient;
let folder: string;
let ns: string;
let namespaces = 0;

beforeAll(async () => {
  skerry = await shareSkerry('swept');
});

beforeEach(async () => {
  namespaces += 1;
  ns = `bootstrap-${namespaces}`;
  client = new SkerryClient({ url: skerry.url, ns });
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-bootstrap-'));
  await mkdir(path.join(folder, 'templates'));
  await mkdir(path.join(folder, 'environments'));
  // Others depend on the one that comes last by its name.
  await write('templates/shop.json', { ...TEMPLATE, dependsOn: ['z-base'] });
  await write('templates/z-base.json', BASE);
  await writeNorth('SEK');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(file: string, content: object): Promise<void> {
  await writeFile(path.join(folder, file), JSON.stringify(content));
}

async function writeNorth(currency: string): Promise<void> {
  const templates = [{ id: 'z-base' }, { id: 'shop', parameters: { currency } }];
  await write('environments/north.json', { name: 'The north', templates });
}

async function idsOf(listing: AsyncIterable<{ readonly id: string }>): Promise<string[]> {
  return (await Array.fromAsync(listing)).map(({ id }) => id);
}

/** @returns what was done to what, without what was left alone. */
async function bootstrap(...flags: string[]) {
  const words = ['bootstrap', '--location', 'westeurope', '--json', ...flags];
  const { code, out, err } = await runInProcess(words, { url: skerry.url, ns, folder });
  const events = out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { kind?: string; id?: string; action?: string });
  const done = events
    .filter(({ action = 'nothing' }) => action !== 'nothing')
    .map(({ kind, id, action }) => `${action} ${kind} ${id}`);
  return { code, done, err };
}

it('records where Skerry runs, brings what a folder says, and leaves alone what is so', async () => {
  const everything = [
    'create environment skerry',
    'record resource skerry/location',
    'record resource skerry/repository',
    'push template z-base',
    'push template shop',
    'create environment north',
  ];
  expect(await bootstrap('--repository', '.', '--dry-run')).toMatchObject({ code: 0, done: everything });
  expect(await idsOf(client.environments.list())).toEqual([]);

  expect(await bootstrap('--repository', '.', '--wait')).toMatchObject({ code: 0, done: everything });
  expect(await client.environments.get('north')).toMatchObject({ name: 'The north', state: 'Deployed-OK' });
  expect(await client.apps.get('shop')).toMatchObject({ config: { currency: 'SEK' } });
  expect(await client.environments.get('skerry')).toMatchObject({
    tags: [
      { name: 'location', value: 'westeurope' },
      { name: 'repository', value: folder },
    ],
  });
  expect(await bootstrap('--repository', '.', '--wait')).toMatchObject({ code: 0, done: [] });

  await writeNorth('EUR');
  expect(await bootstrap('--repository', '.', '--wait')).toMatchObject({
    code: 0,
    done: ['update environment north'],
  });
  expect(await client.apps.get('shop')).toMatchObject({ config: { currency: 'EUR' } });
});

it('ends with 1 where an environment fails, whatever becomes of those behind it', async () => {
  const fail = { name: 'fail', executor: 'config', maxAttempts: 1, command: { nonsense: true } };
  await write('templates/ruin.json', {
    name: 'A ruin',
    actions: [fail],
    resources: [{ id: 'r', actions: { create: 'fail' } }],
  });
  await write('environments/a-ruin.json', { name: 'A ruin', templates: [{ id: 'ruin' }] });
  expect(await bootstrap('--repository', '.', '--wait')).toMatchObject({ code: 1 });
  expect(await client.environments.get('a-ruin')).toMatchObject({ state: 'Deployed-Fail' });
  expect(await client.environments.get('north')).toMatchObject({ state: 'Deployed-OK' });
});

it('writes nothing where a file cannot be read, or an environment has the name of its own', async () => {
  await write('environments/skerry.json', { name: 'Mine', templates: [] });
  expect(await bootstrap('--repository', '.')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--environment'),
  });
  await writeFile(path.join(folder, 'environments/skerry.json'), '{');
  expect(await bootstrap('--repository', '.')).toMatchObject({
    code: 2,
    err: expect.stringContaining('environments/skerry.json'),
  });
  expect(await idsOf(client.environments.list())).toEqual([]);
  expect(await idsOf(client.templates.list())).toEqual([]);
});

it('brings what a git repository holds at its head', async () => {
  const git = (...words: string[]) => promisify(execFile)('git', words, { cwd: folder });
  await git('init', '--quiet');
  await git('add', '.');
  await git('-c', 'user.name=a', '-c', 'user.email=a@b.c', 'commit', '--quiet', '--message', 'All');
  const { stdout } = await git('rev-parse', 'HEAD');
  await write('environments/not-committed.json', { name: 'x', templates: [] });
  const url = pathToFileURL(folder).href;
  expect(await bootstrap('--repository', url, '--wait')).toMatchObject({ code: 0 });
  expect(await client.templates.get('shop')).toMatchObject({ commit: stdout.trim() });
  expect(await idsOf(client.environments.list())).toEqual(['north', 'skerry']);
  expect(await client.resources.get('skerry', 'repository')).toMatchObject({
    name: 'repository',
    links: [url],
  });
});
