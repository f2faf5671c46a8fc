import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { isRunning, type ProcessIdentity } from '../../infra/local/launch/process-identity.ts';
import { FREE_PORTS, launch, type Skerry, type SkerryOptions, startSkerry } from './skerry.ts';

/** Several starts share two cores with the other test files. */
const DEADLINE = { timeout: 30_000, interval: 20 };

let folder: string;
const started: Skerry[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-test-'));
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((skerry) => skerry.kill()));
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

async function start(options: SkerryOptions): Promise<Skerry> {
  const flags = ['--workers', '1', ...(options.flags ?? [])];
  const skerry = await startSkerry({ traps: 'strict', ...options, flags });
  started.push(skerry);
  return skerry;
}

async function refusal(
  flags: string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; output: string }> {
  const launcher = launch(flags, { env });
  return { code: await launcher.exitCode(), output: launcher.output() };
}

async function childrenOf(dataFolder: string): Promise<ProcessIdentity[]> {
  return JSON.parse(await readFile(path.join(dataFolder, 'lock.json'), 'utf8')).children;
}

function putApp(skerry: Skerry, name: string): Promise<Response> {
  return fetch(`${skerry.url}/api/v1/apps/${name}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"config":{"greeting":"hello"}}',
  });
}

describe('a command line', () => {
  test('that is not understood ends with code 2, the reason and where to read on', async () => {
    const { code, output } = await refusal(['--prot', '7071']);
    expect(code).toBe(2);
    expect(output).toContain("Unknown option '--prot'");
    expect(output).toContain('npm start -- --help');
  });

  test('that asks for help gets the flags', async () => {
    const { code, output } = await refusal(['--help']);
    expect(code).toBe(0);
    expect(output).toContain('--cosmos-port N');
  });
});

describe('a port that is taken', () => {
  test('is one sentence that names it, who wants it and the flag that changes it', async () => {
    const occupant = createServer().listen(0, '127.0.0.1');
    await once(occupant, 'listening');
    const { port } = occupant.address() as AddressInfo;
    const wantedBy = {
      '--port': 'functions host',
      '--cosmos-port': 'Cosmos DB emulator',
      '--servicebus-port': 'Service Bus emulator',
      '--blob-port': 'Blob service (Azurite)',
    };
    await Promise.all(
      Object.entries(wantedBy).map(async ([flag, name]) => {
        const data = path.join(folder, flag);
        const { code, output } = await refusal([
          '--no-build',
          ...FREE_PORTS,
          flag,
          String(port),
          '--data',
          data,
        ]);
        expect(code).toBe(1);
        expect(output).toBe(
          `Port ${port}, which the ${name} wants, is taken: stop what listens there, or choose another with ${flag} (0 = any free one).\n`,
        );
        expect(await readdir(data), 'the lock is given up').toEqual([]);
      }),
    );
    occupant.close();
  });
});

describe('npm start', () => {
  test('says where everything is, works as the banner shows, and ends cleanly on SIGTERM', async () => {
    const skerry = await start({ dataFolder: folder });
    const children = await childrenOf(folder);
    expect(skerry.output()).toMatch(new RegExp(`^ready ${skerry.url}\n$`, 'm'));
    expect(skerry.output()).toContain(folder);
    expect(children).toHaveLength(2);
    expect((await putApp(skerry, 'demo')).status).toBe(201);
    expect(await (await fetch(`${skerry.url}/api/v1/apps/demo`)).json()).toMatchObject({ name: 'demo' });

    await skerry.stop();
    expect(skerry.output()).toMatch(/Skerry has stopped\.\n$/);
    expect(isRunning({ pid: skerry.pid })).toBe(false);
    expect(children.filter(isRunning)).toEqual([]);
    expect(existsSync(path.join(folder, 'lock.json'))).toBe(false);
  });

  test('refuses a data folder that another one uses, and names its pid', async () => {
    const skerry = await start({ dataFolder: folder });
    await expect(start({ dataFolder: folder })).rejects.toThrow(
      `The data folder ${folder} is in use by process ${skerry.pid}`,
    );
  });

  test('killed with -9 takes its children along, and starts again at once with all that was acknowledged', async () => {
    const first = await start({ dataFolder: folder });
    const children = await childrenOf(folder);
    expect((await putApp(first, 'demo')).status).toBe(201);
    await first.kill();

    const second = await start({ dataFolder: folder, flags: portsOf(first) });
    expect(second.url).toBe(first.url);
    expect(children.filter(isRunning)).toEqual([]);
    expect((await fetch(`${second.url}/api/v1/apps/demo`)).status).toBe(200);
  });

  test('killed with -9 leaves no process behind', async () => {
    const skerry = await start({ dataFolder: folder, flags: ['--workers', '2'] });
    const children = await childrenOf(folder);
    await skerry.kill();
    await vi.waitFor(() => expect(children.filter(isRunning)).toEqual([]), DEADLINE);
  });

  test('that cannot start ends with code 1 and the error, and leaves nothing behind', async () => {
    const flags = ['--no-build', ...FREE_PORTS, '--data', folder];
    const { code, output } = await refusal(flags, { SKERRY_WEBHOOK_RETRY_SECONDS: 'soon' });
    expect(code).toBe(1);
    expect(output).toContain('SKERRY_WEBHOOK_RETRY_SECONDS: must be seconds separated by commas');
    expect(output).toMatch(/The functions host did not start \(exit code 1\); its error stands above\.\n$/);
    expect(existsSync(path.join(folder, 'lock.json'))).toBe(false);
  });

  test('stopped while it starts ends cleanly', async () => {
    const launcher = launch(['--no-build', ...FREE_PORTS, '--data', folder]);
    const [azurite] = await vi.waitUntil(async () => {
      const children = await childrenOf(folder).catch(() => []);
      return children.length > 0 && children;
    }, DEADLINE);
    launcher.process.kill('SIGTERM');
    expect(await launcher.exitCode()).toBe(0);
    expect(launcher.output()).toMatch(/^Skerry has stopped\.\n$/);
    expect(azurite && isRunning(azurite)).toBe(false);
    expect(existsSync(path.join(folder, 'lock.json'))).toBe(false);
  });

  test.runIf(process.platform !== 'win32')('ends at once on a second Ctrl-C', async () => {
    const launcher = launch(['--no-build', ...FREE_PORTS, '--data', folder]);
    await vi.waitUntil(() => launcher.output().includes('\nready '), DEADLINE);
    const [azurite, host] = await childrenOf(folder);
    if (azurite === undefined || host === undefined) throw new Error('A child is missing.');
    process.kill(host.pid, 'SIGSTOP');
    // Less than the launcher gives the host to stop, which a single Ctrl-C would wait for.
    await vi.waitUntil(() => launcher.process.exitCode !== null || !launcher.process.kill('SIGINT'), {
      timeout: 15_000,
      interval: 100,
    });
    expect(await launcher.exitCode()).toBe(1);
    process.kill(host.pid, 'SIGCONT');
    await vi.waitFor(() => expect([azurite, host].filter(isRunning)).toEqual([]), DEADLINE);
  });

  test('without a server starts, and the readiness probe says what is missing', async () => {
    const skerry = await start({ flags: ['--without', 'blob'] });
    expect(skerry.output()).toMatch(/SKERRY_BLOB .*\(left out\)/);
    const probe = await fetch(`${skerry.url}/api/v1/health/ready`);
    expect(probe.status).toBe(503);
    expect((await putApp(skerry, 'demo')).status).toBe(201);
  });

  test('starts the functions host again when it crashes', async () => {
    const skerry = await start({ dataFolder: folder });
    const [, host] = await childrenOf(folder);
    process.kill(host?.pid ?? 0, 'SIGKILL');
    await vi.waitFor(
      () => expect(skerry.output()).toContain(`The functions host answers again at ${skerry.url}`),
      DEADLINE,
    );
    expect((await putApp(skerry, 'demo')).status).toBe(201);
    expect(await childrenOf(folder)).toHaveLength(2);
  });
});

function portsOf({ url, connections }: Skerry): string[] {
  const port = (text: string) => /:(\d{2,5})/.exec(text)?.[1] ?? '';
  return [
    ['--port', new URL(url).port],
    ['--cosmos-port', port(connections.cosmos)],
    ['--servicebus-port', port(connections.servicebus)],
    ['--blob-port', port(connections.blob)],
  ].flat();
}
