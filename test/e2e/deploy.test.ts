import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { SkerryClient } from '../../client/index.ts';
import { type CommandOptions, runInProcess, startCommand } from './command-line.ts';
import { shareSkerry } from './share-skerry.ts';

/** Stands for the Azure Developer CLI: keeps what it is told, a file for each value, and says where something was deployed. */
const AZD = `#!/bin/sh
state=$AZD_FOLDER/state
keep() { mkdir -p "$state"; echo "$2" > "$state/$1"; }
echo "$*" >> "$AZD_FOLDER/calls"
case "$AZD_UP $1 $2" in
  'hang up '*)
    trap 'echo azd was interrupted; exit 1' INT
    echo 'Provisioning, which takes long'
    while :; do sleep 1; done ;;
  'fail up '*) echo 'ERROR: quota exceeded in westeurope' >&2; exit 1 ;;
  *' up '*) \${AZD_UP:-:} Provisioning; keep SKERRY_URL "$AZD_URL" ;;
  *' env new') keep AZURE_LOCATION "$5" ;;
  *' env set') keep "$3" "$4" ;;
  *)
    [ -d "$state" ] || exit 1
    comma={
    for file in "$state"/*; do
      read -r value < "$file"
      printf '%s"%s":"%s"' "$comma" "\${file##*/}" "$value"
      comma=,
    done
    echo } ;;
esac
`;
const NEW = [
  'env get-values --output json --environment production --no-prompt',
  'env new production --location westeurope --subscription abc --no-prompt',
];
const PATIENCE = { timeout: 45_000, interval: 20 };

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
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

type Env = Readonly<Record<string, string>>;

const wordsOf = (words: readonly string[]) =>
  ['bootstrap', '--deploy', 'production', '--subscription', 'abc', '--json'].concat(words);

const optionsOf = (env: Env): CommandOptions => ({
  // Where it goes on is for azd to say.
  url: 'http://127.0.0.1:1',
  ns,
  folder,
  env: { PATH: `${folder}/bin:${process.env.PATH}`, AZD_FOLDER: folder, AZD_URL: skerry.url, ...env },
});

/** As a process, whose standard error azd shares. */
const startBootstrap = (words: readonly string[], env: Env) => startCommand(wordsOf(words), optionsOf(env));

/** In this process, which spares a start. */
async function bootstrap(words: readonly string[], env: Env = {}) {
  const options = optionsOf(env);
  // Those of this process are azd's too.
  for (const [name, value] of Object.entries(options.env ?? {})) vi.stubEnv(name, value);
  const ended = await runInProcess(wordsOf(words), options);
  vi.unstubAllEnvs();
  return ended;
}

async function calls(): Promise<string[]> {
  const text = await readFile(path.join(folder, 'calls'), 'utf8').catch(() => '');
  return text.split('\n').slice(0, -1);
}

it('deploys Skerry as a new environment, lets itself in, and records there where that is', async () => {
  const dry = await bootstrap(['--location', 'westeurope', '--dry-run']);
  expect(dry).toMatchObject({ code: 0, json: { kind: 'deployment', id: 'production', action: 'deploy' } });
  expect(await calls()).toEqual(NEW.slice(0, 1));

  const first = await startBootstrap(['--location', 'westeurope'], { AZD_UP: 'echo' }).ended();
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
  expect(await bootstrap([])).toMatchObject({
    code: 2,
    err: expect.stringContaining('SKERRY_TOKEN'),
  });
  const again = await bootstrap([], { SKERRY_TOKEN: token });
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
  await mkdir(path.join(folder, 'state'));
  for (const more of [{}, { SKERRY_AZURE_BOOTSTRAP: 'off' }]) {
    for (const [name, value] of Object.entries({ ...state, ...more })) {
      await writeFile(path.join(folder, 'state', name), `${value}\n`);
    }
    const ended = await bootstrap([], { SKERRY_TOKEN: 'of-few-rights' });
    expect(ended, ended.err).toMatchObject({ code: 0 });
  }
  expect(await bootstrap([])).toMatchObject({ code: 2 });
  expect((await calls()).filter((call) => call.includes('env set'))).toEqual([]);
});

it('tells plainly why nothing was deployed, and records nothing', async () => {
  const words = ['--location', 'westeurope'];
  const failed = await startBootstrap(words, { AZD_UP: 'fail', SKERRY_TOKEN: 'mine' }).ended();
  expect(failed.code).toBe(1);
  expect(failed.err).toContain('ERROR: quota exceeded in westeurope\n');
  expect(failed.err).toContain('failed (1); what it said stands above. Nothing is recorded');
  expect(await bootstrap(['--location', 'eastus'], { SKERRY_TOKEN: 'mine' })).toMatchObject({
    code: 2,
    err: expect.stringContaining('cannot move'),
  });
  expect(await bootstrap(words, { PATH: folder })).toMatchObject({
    code: 1,
    err: expect.stringContaining('https://aka.ms/azd-install'),
  });
  await rm(path.join(folder, 'azure.yaml'));
  expect(await bootstrap(words)).toMatchObject({ code: 2, err: expect.stringContaining('--source') });
  expect(await client.environments.get('skerry')).toBeUndefined();
});

it('hands Ctrl-C on to azd, and ends when that has ended', async () => {
  const running = startBootstrap(['--location', 'westeurope'], { AZD_UP: 'hang' });
  await vi.waitFor(async () => expect((await calls()).at(-1)).toContain('up'), PATIENCE);
  await vi.waitFor(() => expect(running.errors()).toContain('takes long'), PATIENCE);
  running.process.kill('SIGINT');
  const { code, err } = await running.ended();
  expect(code).toBe(130);
  expect(err).toContain('azd was interrupted');
});
