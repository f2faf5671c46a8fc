import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Receiver, startReceiver } from '../integration/webhooks/receiver.ts';
import { type Guide, readGuide } from './guide.ts';
import { type Skerry, startSkerry } from './skerry.ts';
import { makeUserFolder } from './user-folder.ts';

const COMMAND_LINE = path.resolve(import.meta.dirname, '../../dist/client/skerry.js');
const EXAMPLES = path.resolve(import.meta.dirname, '../../examples');
const DEADLINE = { timeout: 45_000, interval: 50 };

/** An example program, run as a user would: a process of its own. */
interface Program {
  readonly process: ChildProcess;
  /** Its address, once it has printed it. */
  readonly url: string;
}

let skerry: Skerry;
let greeter: Program;
let visitor: Program;

beforeAll(async () => {
  skerry = await startSkerry({
    flags: [
      ...['--bus-subscription', "removals=name = 'stock' AND change <> 'put'"],
      ...['--bus-subscription', "shop:sessions=kind = 'kv' AND name = 'shop'"],
      ...['--bus-subscription', "operations=kind = 'op'"],
    ],
  });
  await configure('greeter', { greeting: 'Hello' });
  await configure('visitor', { name: 'Ada', everySeconds: 0.05 });
  greeter = await run('greeter');
  visitor = await run('visitor');
});

afterAll(async () => {
  for (const program of [greeter, visitor]) {
    program?.process.kill('SIGKILL');
  }
  await skerry?.stop();
});

describe('two programs that Skerry holds together', () => {
  it('find each other and serve requests to each other', async () => {
    for (const { url } of [visitor, greeter]) {
      await expect.poll(() => get(`${url}/visits`), DEADLINE).toMatchObject({ lastGreeting: 'Hello, Ada!' });
    }
  });

  it('change what they do when their configuration changes', async () => {
    await configure('greeter', { greeting: 'Good evening' });
    await expect
      .poll(() => get(`${visitor.url}/visits`), DEADLINE)
      .toMatchObject({ lastGreeting: 'Good evening, Ada!' });
  });

  it('vanish from the registry when they are killed, and are not called any more', async () => {
    greeter.process.kill('SIGKILL');
    await expect.poll(() => livingInstances('greeter'), DEADLINE).toEqual([]);
    greeter = await run('greeter');
    await expect.poll(() => livingInstances('greeter'), DEADLINE).toHaveLength(1);
    await expect
      .poll(() => get(`${greeter.url}/visits`), DEADLINE)
      .toMatchObject({ lastGreeting: 'Good evening, Ada!' });
  });

  it('are gone at once when they take leave', async () => {
    visitor.process.kill('SIGTERM');
    await once(visitor.process, 'exit');
    const response = await fetch(`${skerry.url}/api/v1/services/visitor`);
    expect(response.status).toBe(404);
  });
});

describe('the guide', () => {
  it.each([
    { guide: 'client.md', packages: ['skerry', 'zod'] },
    { guide: 'bus.md', packages: ['@azure/service-bus'] },
    { guide: 'commands.md', packages: ['@azure/service-bus'] },
  ] as const)('$guide does what it says', async ({ guide: name, packages }) => {
    const guide = await readGuide(name);
    const promised = Array.from(guide.text.matchAll(/\/\/ → (.*)$/gm), ([, line = '']) => line);
    // What a watch tells comes when it comes: the last block, which closes everything, waits for it.
    const program = guide
      .blocks('js')
      .toSpliced(-1, 0, "await new Promise((resolve) => process.stdin.once('data', resolve));");
    const folder = await makeUserFolder(...packages);
    await writeFile(path.join(folder, 'guide.js'), program.join('\n'));
    const child = spawn(process.execPath, ['guide.js'], {
      cwd: folder,
      env: { ...process.env, SKERRY_URL: skerry.url, SKERRY_SERVICEBUS: skerry.connections.servicebus },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    const reading = createInterface(child.stdout).on('line', (line) => lines.push(line));
    try {
      await expect.poll(() => lines.toSorted(), DEADLINE).toEqual(promised.toSorted());
      child.stdin.end('go on');
      await once(reading, 'close');
      expect(lines).toHaveLength(promised.length);
      await expect.poll(() => child.exitCode, DEADLINE).toBe(0);
    } finally {
      child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('the guide to webhooks', () => {
  let guide: Guide;
  let folder: string;
  let receiver: Receiver;
  const started: ChildProcess[] = [];

  beforeAll(async () => {
    guide = await readGuide('webhooks.md');
    folder = await makeUserFolder('skerry');
    receiver = await startReceiver();
  });

  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await receiver?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs what a reader would, with the addresses of this test; never `npm run build`, which the tests begin with. */
  function shell(line: string, endpoint = ''): { readonly child: ChildProcess; output(): string } {
    const command = line
      .replaceAll('http://127.0.0.1:7071', skerry.url)
      .replaceAll('http://127.0.0.1:4400/', endpoint)
      .replace('npx skerry', `exec "${process.execPath}" "${COMMAND_LINE}"`);
    const env = { PATH: process.env.PATH, HOME: folder, SKERRY_URL: skerry.url };
    const child = spawn(command, { shell: true, cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    started.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    return { child, output: () => output };
  }

  async function startProgram(code: string, env: Record<string, string>) {
    await writeFile(path.join(folder, 'receiver.mjs'), code);
    const child = spawn(process.execPath, ['receiver.mjs'], {
      cwd: folder,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    started.push(child);
    const lines: string[] = [];
    createInterface(child.stdout).on('line', (line) => lines.push(line));
    return { child, lines };
  }

  it('does what it says', async () => {
    const [code = '', program = ''] = guide.blocks('js');
    const port = String(await freePort());
    const commands = guide.blocks('sh').flatMap((block) => block.replaceAll('\\\n', '').trim().split('\n'));
    let told: readonly string[] = [];
    for (const command of commands.filter((line) => !line.startsWith('npm '))) {
      const isListener = command.includes('webhooks listen');
      const run = shell(isListener ? `${command} --port 0` : command, `http://127.0.0.1:${port}/`);
      if (isListener) {
        await expect.poll(run.output, DEADLINE).toContain('-- listening');
        run.child.kill('SIGTERM');
      }
      await once(run.child, 'close');
      expect([command, run.child.exitCode, run.output()]).toEqual([
        command,
        isListener ? 143 : 0,
        expect.anything(),
      ]);
      const [secret] = /whsec_\S+/.exec(run.output()) ?? [];
      if (command.includes('create billing') && secret !== undefined) {
        told = (await startProgram(code, { WEBHOOK_SECRETS: secret, PORT: port })).lines;
        await expect
          .poll(() => fetch(`http://127.0.0.1:${port}/`, { method: 'OPTIONS' }), DEADLINE)
          .toBeDefined();
      }
    }
    const promised = [
      expect.stringMatching(/^skerry\.test \/hook\/sub_\S+ null$/),
      "app.put /app/shop { config: { currency: 'SEK' } }",
    ];
    await expect.poll(() => told, DEADLINE).toEqual(expect.arrayContaining(promised));

    const { child } = await startProgram(program.replace('http://127.0.0.1:7071', skerry.url), {});
    await expect.poll(() => child.exitCode, DEADLINE).toBe(0);
  });

  it('shows bodies as they are sent', async () => {
    for (const format of ['standard', 'cloudevents']) {
      const body = { name: 'shown', key: '/app/shown', endpoint: `${receiver.url}/${format}`, format };
      await send('POST', 'subscriptions', body);
    }
    await configure('shown', { currency: 'EUR' });
    await configure('shown', { currency: 'SEK' });
    const sentTo = (endpoint: string) =>
      receiver.calls
        .filter(({ path: called }) => called === endpoint)
        .map(({ body }) => body as { data: { revision: number } })
        .sort((one, other) => one.data.revision - other.data.revision);
    await expect.poll(() => receiver.calls, DEADLINE).toHaveLength(4);
    const shown = guide.blocks('json').map((block) => shapeOf(JSON.parse(block)));
    expect(shown).toEqual([sentTo('/standard')[1], sentTo('/cloudevents')[1]].map(shapeOf));
  });
});

/** A value with the types of its members in their place; the words that Skerry chooses stay. */
function shapeOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'string' &&
      /^(app\.put|skerry\.app\.put|put|1\.0|EUR|SEK|application\/json)$/.test(value)
      ? value
      : typeof value;
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shapeOf(member)]));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function configure(app: string, config: object): Promise<void> {
  await send('PUT', `apps/${app}`, { config });
}

async function send(method: string, called: string, body: object): Promise<void> {
  const response = await fetch(`${skerry.url}/api/v1/${called}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.ok).toBe(true);
}

async function livingInstances(service: string): Promise<unknown[]> {
  return (await get<{ instances: unknown[] }>(`${skerry.url}/api/v1/services/${service}?passing`)).instances;
}

async function get<Body>(url: string): Promise<Body> {
  const response = await fetch(url);
  return (await response.json()) as Body;
}

async function run(name: string): Promise<Program> {
  const child = spawn(process.execPath, [`${name}.mjs`], {
    cwd: path.join(EXAMPLES, name),
    env: { ...process.env, SKERRY_URL: skerry.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    const url = /serves (\S+)/.exec(String(chunk))?.[1];
    if (url !== undefined) {
      child.stdout.resume();
      return { process: child, url };
    }
  }
  throw new Error(`The example ${name} ended before it served anything.`);
}
