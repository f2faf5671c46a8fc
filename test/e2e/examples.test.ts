import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Skerry, startSkerry } from './skerry.ts';
import { makeUserFolder } from './user-folder.ts';

const EXAMPLES = path.resolve(import.meta.dirname, '../../examples');
const DOCS = path.resolve(import.meta.dirname, '../../docs');
const DEADLINE = { timeout: 15_000, interval: 50 };

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
  ] as const)('$guide does what it says', async ({ guide: name, packages }) => {
    const guide = await readFile(path.join(DOCS, name), 'utf8');
    const blocks = Array.from(guide.matchAll(/^```js\n(.*?)^```$/gms), ([, code = '']) => code);
    const promised = Array.from(guide.matchAll(/\/\/ → (.*)$/gm), ([, line = '']) => line);
    // What a watch tells comes when it comes: the last block, which closes everything, waits for it.
    const program = blocks.toSpliced(
      -1,
      0,
      "await new Promise((resolve) => process.stdin.once('data', resolve));",
    );
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

async function configure(app: string, config: object): Promise<void> {
  const response = await fetch(`${skerry.url}/api/v1/apps/${app}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ config }),
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
