import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type HostProcess, HostStartError, startHost } from './host-process.ts';

async function start(fixture: string, environment?: Record<string, string>): Promise<HostProcess> {
  const host = await startHost(fixture, environment);
  onTestFinished(() => host.kill());
  return host;
}

const eventsOf = (host: HostProcess) => host.reports.map(({ event }) => event);

describe('hooks', () => {
  it('may replace inputs, handler, error and result, and share their data', async () => {
    const host = await start('lifecycle');
    const response = await fetch(`${host.url}/api/hooked`);
    expect(await response.json()).toEqual({
      thrown: 'replaced input',
      hookData: { seen: 'by both hooks' },
    });
  });
});

describe('registration', () => {
  it('ends with the start', async () => {
    const host = await start('lifecycle');
    expect(await (await fetch(`${host.url}/api/late`)).text()).toContain('during app startup');
  });
});

describe('requests', () => {
  it('wait for room, and are turned away beyond the limit', async () => {
    const host = await start('lifecycle');
    const running = fetch(`${host.url}/api/held`);
    await vi.waitFor(() => expect(eventsOf(host)).toEqual(['held']));
    const waiting = fetch(`${host.url}/api/late`);
    const status = async () => (await fetch(`${host.url}/api/late`)).status;
    await vi.waitFor(async () => expect(await status()).toBe(429));
    expect((await fetch(`${host.url}/admin/host/ping`)).status).toBe(200);
    host.send({ type: 'let go' });
    expect([(await running).status, (await waiting).status]).toEqual([200, 200]);
    expect(host.output()).toContain('info Function.held.User: hooked holding');
  });
});

describe('a host that is told to stop', () => {
  it.each(['SIGTERM', 'SIGINT', 'stop'] as const)(
    'by %s lets what runs finish, then runs the hooks and exits 0',
    async (how) => {
      const host = await start('lifecycle');
      const running = fetch(`${host.url}/api/held`);
      await vi.waitFor(() => expect(eventsOf(host)).toEqual(['held']));
      if (how === 'stop') host.send({ type: 'stop' });
      else host.signal(how);
      await vi.waitFor(() => expect(fetch(host.url)).rejects.toThrow());
      host.send({ type: 'let go' });
      expect(await (await running).text()).toBe('let go');
      expect(await host.exited).toBe(0);
      expect(host.reports.at(-1)).toEqual({ type: 'report', event: 'appTerminate', started: true });
    },
  );
});

describe('a host whose parent is gone', () => {
  it('exits at once, whatever runs', async () => {
    const host = await start('lifecycle');
    void fetch(`${host.url}/api/held`).catch(() => undefined);
    await vi.waitFor(() => expect(eventsOf(host)).toEqual(['held']));
    host.disconnect();
    expect(await host.exited).toBe(1);
  });
});

describe('a host that cannot start', () => {
  // Inside the fixtures, so that the app finds @azure/functions.
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(import.meta.dirname, 'fixtures/tmp-'));
    await writeApp({});
  });
  afterAll(() => rm(folder, { recursive: true }));

  interface AppFiles {
    readonly hostJson?: string;
    readonly main?: string;
    readonly code?: string;
  }

  async function writeApp({
    hostJson = '{"version":"2.0"}',
    main = 'app.mjs',
    code = '',
  }: AppFiles): Promise<void> {
    await writeFile(path.join(folder, 'host.json'), hostJson);
    await writeFile(path.join(folder, 'package.json'), JSON.stringify({ main }));
    await writeFile(
      path.join(folder, 'app.mjs'),
      `import { app, output, trigger } from '@azure/functions';\n${code}`,
    );
  }

  async function refusal(files: AppFiles, extraArguments: readonly string[] = []): Promise<string> {
    await writeApp(files);
    const error: unknown = await startHost(path.basename(folder), {}, extraArguments).then(
      (host) => host.kill(),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(HostStartError);
    const { exitCode, message } = error as HostStartError;
    expect(exitCode).toBe(1);
    return message;
  }

  const http = (options: string) => `app.http('web', { handler: () => ({}), ${options} });`;
  const queue = (options: string) =>
    `app.serviceBusQueue('q', { connection: 'BUS', queueName: 'x', handler: () => {}, ${options} });`;

  it.each<[string, AppFiles, RegExp]>([
    ['host.json is no JSON', { hostJson: '{' }, /host\.json is not JSON/],
    ['host.json has no version', { hostJson: '{}' }, /version/],
    ['no file matches main', { main: 'dist/*.js' }, /No file in .* matches 'dist\/\*\.js'/],
    ['a file throws', { code: 'throw new Error("broken app");' }, /broken app/],
    ['nothing is registered', {}, /registers no function/],
    ['the app streams', { code: `app.setup({ enableHttpStream: true }); ${http('')}` }, /enableHttpStream/],
    [
      'a function wants keys',
      { code: http("authLevel: 'function'") },
      /function 'web': authLevel: only 'anonymous'/,
    ],
    ['a route is reserved', { code: http("route: 'administrators'") }, /reserved word/],
    ['a constraint is unknown', { code: http("route: '{a:prime}'") }, /constraint 'prime' is unknown/],
    [
      'two functions share route and method',
      { code: `${http("route: 'a'")} app.get('b', { route: 'A/', handler: () => ({}) });` },
      /functions 'b' and 'web' share the route 'a' for GET/,
    ],
    [
      'a trigger is unsupported',
      { code: "app.storageQueue('s', { queueName: 'x', connection: 'c', handler: () => {} });" },
      /'queueTrigger' is not supported/,
    ],
    ['a queue has sessions', { code: queue('isSessionsEnabled: true') }, /sessions are not supported/],
    ['a queue wants batches', { code: queue("cardinality: 'many'") }, /cardinality: only 'one'/],
    [
      'a topic',
      {
        code: "app.serviceBusTopic('t', { connection: 'BUS', topicName: 't', subscriptionName: 's', handler: () => {} });",
      },
      /only queues/,
    ],
    [
      'an output binding',
      { code: queue("return: output.storageQueue({ queueName: 'o', connection: 'c' })") },
      /binding of type 'queue' is not supported/,
    ],
    [
      'a retry policy on a queue',
      { code: queue("retry: { strategy: 'fixedDelay', maxRetryCount: 1, delayInterval: 1 }") },
      /retry policy is not supported on a serviceBusTrigger/,
    ],
    ['a connection is missing', { code: queue('') }, /setting 'BUS' is missing/],
    [
      'a %setting% is missing',
      { code: "app.timer('t', { schedule: '%WHEN%', handler: () => {} });" },
      /setting 'WHEN' is missing/,
    ],
    [
      'a schedule is malformed',
      { code: "app.timer('t', { schedule: '@daily', handler: () => {} });" },
      /'@daily' is not NCRONTAB/,
    ],
  ])('says so when %s', async (_, files, message) => {
    expect(await refusal(files)).toMatch(message);
  });

  it('says that the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await vi.waitFor(() => expect(other.address()).not.toBeNull());
    const { port } = other.address() as { port: number };
    expect(await refusal({ code: http('') }, ['--port', String(port)])).toContain('--port');
  });
});
