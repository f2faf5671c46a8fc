import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { HostStartError, startHost } from './host-process.ts';

const MODULES = path.resolve(import.meta.dirname, '../../../node_modules');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'host-app-'));
  await symlink(MODULES, path.join(folder, 'node_modules'));
});

afterAll(() => rm(folder, { recursive: true }));

interface AppFiles {
  readonly hostJson?: string;
  readonly main?: unknown;
  readonly localSettings?: string;
  readonly settings?: Record<string, string>;
  readonly code?: string;
}

async function writeApp({
  hostJson = '{"version":"2.0"}',
  main = 'app.mjs',
  code = '',
  localSettings = '{}',
}: AppFiles): Promise<void> {
  await writeFile(path.join(folder, 'host.json'), hostJson);
  await writeFile(path.join(folder, 'package.json'), JSON.stringify({ main }));
  await writeFile(path.join(folder, 'local.settings.json'), localSettings);
  const head = "import { app, output } from '@azure/functions';";
  await writeFile(path.join(folder, 'app.mjs'), `${head}\n${code}`);
}

describe('local.settings.json', () => {
  it('gives the app its settings, but those of the environment win', async () => {
    const values = { FROM_FILE: 'file', FROM_BOTH: 'file', AzureWebJobsDisableHomepage: true };
    await writeApp({
      localSettings: JSON.stringify({ IsEncrypted: false, Values: values, Host: { LocalHttpPort: 7071 } }),
      code: `app.http('settings', {
        handler: () => ({ jsonBody: [process.env.FROM_FILE, process.env.FROM_BOTH] }),
      });`,
    });
    const host = await startHost(folder, { FROM_BOTH: 'environment' });
    onTestFinished(() => host.kill());
    expect(await (await fetch(`${host.url}/api/settings`)).json()).toEqual(['file', 'environment']);
    expect((await fetch(host.url)).status).toBe(204);
  });
});

it('runs only the functions that host.json names, if it names any', async () => {
  const web = (name: string) => `app.http('${name}', { handler: () => ({ body: '${name}' }) });`;
  const hostJson = '{"version":"2.0","functions":["Chosen"]}';
  await writeApp({ hostJson, code: web('chosen') + web('other') });
  const host = await startHost(folder);
  onTestFinished(() => host.kill());
  expect((await fetch(`${host.url}/api/chosen`)).status).toBe(200);
  expect((await fetch(`${host.url}/api/other`)).status).toBe(404);
});

describe('a host that cannot start', () => {
  async function refusal(files: AppFiles, extraArguments: readonly string[] = []): Promise<string> {
    await writeApp(files);
    const error: unknown = await startHost(folder, files.settings, extraArguments).then(
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
    [
      'a file throws',
      { code: 'throw new Error("broken app");' },
      /app\.mjs failed: Error: broken app\n +at /,
    ],
    ['nothing is registered', {}, /registers no function/],
    ['a route is reserved', { code: http("route: 'administrators'") }, /reserved word/],
    ['a constraint is unknown', { code: http("route: '{a:prime}'") }, /constraint 'prime' is unknown/],
    [
      'two functions have names that differ in case only',
      { code: `${http('')} app.http('WEB', { route: 'other', handler: () => ({}) });` },
      /function 'WEB': the name is taken/,
    ],
    ['two functions have one name', { code: `${http('')} ${http('')}` }, /"web" has already been registered/],
    ['a route begins with a slash', { code: http("route: '/web'") }, /must not start with a slash/],
    [
      'two functions share route and method',
      { code: `${http("route: 'a'")} app.get('b', { route: 'A/', handler: () => ({}) });` },
      /functions 'b' and 'web' share the route 'a' for GET/,
    ],
    [
      'two functions share their leases',
      {
        settings: { C: 'AccountEndpoint=http://localhost:1/;AccountKey=a2V5;' },
        code: `for (const name of ['a', 'b']) {
          app.cosmosDB(name, { connection: 'C', databaseName: 'd', containerName: 'c', handler: () => {} });
        }`,
      },
      /function 'b': it shares its leases with 'a'/,
    ],
    ['a connection is missing', { code: queue('') }, /setting 'BUS' is missing/],
    [
      'a schedule is malformed',
      { code: "app.timer('t', { schedule: '@daily', handler: () => {} });" },
      /'@daily' is not NCRONTAB/,
    ],
  ])('says so when %s', async (_, files, message) => {
    expect(await refusal(files)).toMatch(message);
  });

  it('names every function that it cannot run, and why', async () => {
    const functions: Record<string, string> = {
      level: "app.http(name, { handler, authLevel: 'system' })",
      blob: "app.storageBlob(name, { path: 'p', connection: 'C', handler })",
      nameless:
        "app.generic(name, { trigger: { type: 'serviceBusTrigger', name, connection: 'C' }, handler })",
      option:
        "app.generic(name, { trigger: { type: 'timerTrigger', name, schedule: '1:0', often: 1 }, handler })",
      batches: "app.serviceBusQueue(name, { ...queue, cardinality: 'many' })",
      retried:
        "app.serviceBusQueue(name, { ...queue, retry: { strategy: 'fixedDelay', maxRetryCount: 1, delayInterval: 1 } })",
      output:
        "app.serviceBusQueue(name, { ...queue, return: output.storageQueue({ queueName: 'o', connection: 'C' }) })",
      scheduled: "app.timer(name, { schedule: '%WHEN%', handler })",
      host: 'app.http(name, { handler })',
      'two words': 'app.http(name, { handler })',
    };
    const registrations = Object.entries(functions).map(
      ([name, code]) => `{ const name = '${name}'; ${code}; }`,
    );
    const message = await refusal({
      code: `const handler = () => {};
        const queue = { connection: 'C', queueName: 'q', handler };
        ${registrations.join('\n')}`,
    });
    expect(message).not.toContain('    at ');
    expect(message.split('\n').filter((line) => line.startsWith('  function'))).toEqual([
      expect.stringContaining("  function 'level': authLevel: Invalid option"),
      expect.stringContaining("  function 'blob': a trigger of type 'blobTrigger' is not supported here"),
      "  function 'nameless': queueName: either a queue or a topic and its subscription must be named",
      expect.stringMatching(/function 'option': .*often/),
      "  function 'batches': cardinality: only 'one' is supported here",
      "  function 'retried': a retry policy is not supported on a serviceBusTrigger",
      expect.stringContaining("  function 'output': a binding of type 'queue' is not supported here"),
      "  function 'scheduled': setting 'WHEN' is missing, which '%WHEN%' refers to",
      "  function 'host': the name 'host' is reserved",
      expect.stringContaining("  function 'two words': the name must match"),
    ]);
  });

  it('names every function that cannot be fired, and why', async () => {
    const message = await refusal({
      code: `const handler = () => {};
        app.timer('often', { schedule: 'often', handler });
        app.serviceBusQueue('work', { connection: 'BUS', queueName: 'q', handler });
        app.serviceBusQueue('odd', { connection: 'ODD', queueName: 'q', handler });
        app.cosmosDB('feed', { connection: 'COSMOS', databaseName: 'd', containerName: 'c', handler });`,
      settings: { ODD: 'odd' },
    });
    expect(message).not.toContain('    at ');
    expect(message.split('\n').filter((line) => line.startsWith('  function'))).toEqual([
      "  function 'often': schedule 'often' is not NCRONTAB",
      "  function 'work': setting 'BUS' is missing, which should hold a connection string, or 'BUS__fullyQualifiedNamespace'",
      expect.stringContaining("  function 'odd': Connection string malformed"),
      "  function 'feed': setting 'COSMOS' is missing, which should hold a connection string, or 'COSMOS__accountEndpoint'",
    ]);
  });

  it.each<[string, AppFiles, readonly string[], RegExp]>([
    ['host.json', { hostJson: '{' }, [], /host\.json is not JSON: /],
    ['package.json', { main: 3 }, [], /package\.json is not valid:\n {2}main: must be the pattern/],
    [
      'local.settings.json',
      { localSettings: '{"IsEncrypted":true}' },
      [],
      /local\.settings\.json is not valid/,
    ],
    ['the folder of the app', {}, ['--app', '/nowhere'], /\/nowhere/],
    ['the port', {}, ['--port', 'x'], /^'x' is no port\. Usage: /],
    ['the number of workers', {}, ['--workers', '11'], /^'11' is no number of workers\. Usage: /],
  ])('says what is wrong with %s, without a stack', async (_, files, commandLine, message) => {
    const said = await refusal(files, commandLine);
    expect(said).toMatch(message);
    expect(said).not.toContain('    at ');
  });

  it('says that the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await vi.waitFor(() => expect(other.address()).not.toBeNull(), 45_000);
    const { port } = other.address() as { port: number };
    expect(await refusal({ code: http('') }, ['--port', String(port)])).toContain('--port');
  });
});
