import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { SkerryClient } from '../../client/index.ts';
import { startCommand } from './command-line.ts';
import { shareSkerry } from './share-skerry.ts';

/** Stands for the Azure Developer CLI: keeps what it is told, and says where something was deployed. */
const AZD = `#!${process.execPath}
const fs = require('node:fs');
const [words, file] = [process.argv.slice(2), process.env.AZD_FOLDER + '/state.json'];
fs.appendFileSync(process.env.AZD_FOLDER + '/calls', words.join(' ') + '\\n');
const state = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : undefined;
const keep = (more) => fs.writeFileSync(file, JSON.stringify({ ...state, ...more }));
const [verb, noun, name, value] = words;
if (verb === 'up' && process.env.AZD_UP === 'hang') {
  process.on('SIGINT', () => { console.log('azd was interrupted'); process.exit(1); });
  console.log('Provisioning, which takes long');
  setInterval(() => {}, 1000);
} else if (verb === 'up' && process.env.AZD_UP === 'fail') {
  console.error('ERROR: quota exceeded in westeurope');
  process.exitCode = 1;
} else if (verb === 'up') {
  console.log('Provisioning');
  keep({ SKERRY_URL: process.env.AZD_URL });
} else if (noun === 'new') keep({ AZURE_LOCATION: words[words.indexOf('--location') + 1] });
else if (noun === 'set') keep({ [name]: value });
else if (state === undefined) process.exitCode = 1;
else console.log(JSON.stringify(state));
`;
const NEW = [
  'env get-values --output json --environment production --no-prompt',
  'env new production --location westeurope --subscription abc --no-prompt',
];
const PATIENCE = { timeout: 15_000, interval: 20 };

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
  ns = `deploy-${namespaces}`;
  client = new SkerryClient({ url: skerry.url, ns });
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-deploy-'));
  await mkdir(path.join(folder, 'bin'));
  await writeFile(path.join(folder, 'bin/azd'), AZD, { mode: 0o755 });
  await writeFile(path.join(folder, 'azure.yaml'), 'name: skerry');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function bootstrap(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return startCommand(['bootstrap', '--deploy', 'production', '--subscription', 'abc', '--json', ...words], {
    // Where it goes on is for azd to say.
    url: 'http://127.0.0.1:1',
    ns,
    folder,
    env: {
      PATH: `${folder}/bin:${process.env.PATH}`,
      AZD_FOLDER: folder,
      AZD_URL: skerry.url,
      ...env,
    },
  });
}

async function calls(): Promise<string[]> {
  const text = await readFile(path.join(folder, 'calls'), 'utf8').catch(() => '');
  return text.split('\n').slice(0, -1);
}

it('deploys Skerry as a new environment, lets itself in, and records there where that is', async () => {
  const dry = await bootstrap(['--location', 'westeurope', '--dry-run']).ended();
  expect(dry).toMatchObject({ code: 0, json: { kind: 'deployment', id: 'production', action: 'deploy' } });
  expect(await calls()).toEqual(NEW.slice(0, 1));

  const first = await bootstrap(['--location', 'westeurope']).ended();
  expect(first, first.err).toMatchObject({ code: 0 });
  expect(first.err).toContain('Provisioning');
  const [token = ''] = /skt_[\w-]{43}/.exec(first.err) ?? [];
  const sha256 = createHash('sha256').update(token).digest('hex');
  expect((await calls()).slice(1)).toEqual([
    ...NEW,
    `env set SKERRY_BOOTSTRAP_TOKEN_SHA256 ${sha256} --environment production --no-prompt`,
    'up --environment production --no-prompt',
    NEW[0],
  ]);
  expect(await client.environments.get('skerry')).toMatchObject({
    tags: [{ name: 'location', value: 'westeurope' }],
  });
  expect(await client.resources.get('skerry', 'deployment')).toMatchObject({
    tags: [{ name: 'azd', value: 'production' }],
    links: [skerry.url],
  });

  // Its token is not replaced, and who has lost it is told so before anything is done.
  const before = (await calls()).length;
  expect(await bootstrap([]).ended()).toMatchObject({
    code: 2,
    err: expect.stringContaining('SKERRY_TOKEN'),
  });
  const again = await bootstrap([], { SKERRY_TOKEN: token }).ended();
  expect(again, again.err).toMatchObject({ code: 0 });
  expect(again.err).not.toContain(token);
  const idle = again.out.split('\n').filter((line) => line.includes('"nothing"'));
  expect(idle).toHaveLength(3);
  expect((await calls()).slice(before)).toEqual([
    NEW[0],
    NEW[0],
    'up --environment production --no-prompt',
    NEW[0],
  ]);
});

it('gives no token all rights that was there before it', async () => {
  const state = { SKERRY_URL: skerry.url, AZURE_LOCATION: 'westeurope' };
  for (const more of [{}, { SKERRY_AZURE_BOOTSTRAP: 'off' }]) {
    await writeFile(path.join(folder, 'state.json'), JSON.stringify({ ...state, ...more }));
    const ended = await bootstrap([], { SKERRY_TOKEN: 'of-few-rights' }).ended();
    expect(ended, ended.err).toMatchObject({ code: 0 });
  }
  expect(await bootstrap([]).ended()).toMatchObject({ code: 2 });
  expect((await calls()).filter((call) => call.includes('env set'))).toEqual([]);
});

it('tells plainly why nothing was deployed, and records nothing', async () => {
  const words = ['--location', 'westeurope'];
  const failed = await bootstrap(words, { AZD_UP: 'fail', SKERRY_TOKEN: 'mine' }).ended();
  expect(failed.code).toBe(1);
  expect(failed.err).toContain('ERROR: quota exceeded in westeurope\n');
  expect(failed.err).toContain('failed (1); what it said stands above. Nothing is recorded');
  expect(await bootstrap(['--location', 'eastus'], { SKERRY_TOKEN: 'mine' }).ended()).toMatchObject({
    code: 2,
    err: expect.stringContaining('cannot move'),
  });
  expect(await bootstrap(words, { PATH: path.dirname(process.execPath) }).ended()).toMatchObject({
    code: 1,
    err: expect.stringContaining('https://aka.ms/azd-install'),
  });
  await rm(path.join(folder, 'azure.yaml'));
  expect(await bootstrap(words).ended()).toMatchObject({ code: 2, err: expect.stringContaining('--source') });
  expect(await client.environments.get('skerry')).toBeUndefined();
});

it('hands Ctrl-C on to azd, and ends when that has ended', async () => {
  const running = bootstrap(['--location', 'westeurope'], { AZD_UP: 'hang' });
  await vi.waitFor(async () => expect((await calls()).at(-1)).toContain('up'), PATIENCE);
  await vi.waitFor(() => expect(running.errors()).toContain('takes long'), PATIENCE);
  running.process.kill('SIGINT');
  const { code, err } = await running.ended();
  expect(code).toBe(130);
  expect(err).toContain('azd was interrupted');
});
