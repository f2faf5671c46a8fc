import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { launch, type Skerry, startSkerry } from '../../e2e/skerry.ts';
import { median, printTable, rounded } from '../statistics.ts';
import { loadInTurn, type Scenario } from './http-load.ts';
import { findChild } from './processes.ts';
import { measureRequestUnits } from './request-units.ts';

const HERE = import.meta.dirname;
const ROOT = path.resolve(HERE, '../../..');
const JSON_TYPE = { 'content-type': 'application/json' };

/** What Skerry costs: its requests, its request units, its start. */
export async function benchProduct(quick: boolean): Promise<void> {
  await benchRequests(quick);
  await benchRequestUnits();
  await benchStart(quick);
  await benchImport(quick);
}

async function benchRequests(quick: boolean): Promise<void> {
  const skerry = await startSkerry({ traps: 'none' });
  await prepare(skerry);
  const service = `${skerry.url}/api/v1/services/web`;
  const env = { ...process.env, BENCH_BODY: await (await fetch(service)).text() };
  const bare = await forkServer(path.join(HERE, 'bare-server.mjs'), [], env);
  const trivial = await forkTrivialApp(env);
  const streaming = await forkTrivialApp({ ...env, BENCH_STREAM: '1' });
  const pid = findChild(findChild(skerry.pid, 'host/main.ts'), 'host/worker.ts');
  const app = `${skerry.url}/api/v1/apps/bench`;
  const scenarios: Scenario[] = [
    { name: 'bare node:http, same bytes', url: bare.url, expectedStatus: 200, pid: bare.pid },
    {
      name: 'trivial function, not streaming',
      url: `${trivial.url}/trivial`,
      expectedStatus: 200,
      pid: findChild(trivial.pid, 'host/worker.ts'),
    },
    {
      name: 'trivial function on the host',
      url: `${streaming.url}/trivial`,
      expectedStatus: 200,
      pid: findChild(streaming.pid, 'host/worker.ts'),
    },
    {
      name: 'service of 10, max-stale',
      url: service,
      headers: { 'cache-control': 'max-stale=60' },
      expectedStatus: 200,
      pid,
    },
    { name: 'service of 10, fresh', url: service, expectedStatus: 200, pid },
    { name: 'GET app', url: app, expectedStatus: 200, pid },
    {
      name: 'heartbeat',
      url: `${service}/instances/host1/heartbeat`,
      method: 'PUT',
      expectedStatus: 204,
      pid,
    },
    {
      name: 'PUT app',
      url: app,
      method: 'PUT',
      headers: JSON_TYPE,
      body: (count) => JSON.stringify({ config: { count } }),
      expectedStatus: 200,
      pid,
    },
  ];
  const connections = 8;
  const figures = await loadInTurn(scenarios, { rounds: quick ? 1 : 3, seconds: quick ? 1 : 3, connections });
  const floor = figures.get('trivial function on the host');
  printTable(
    `Requests, ${connections} connections, medians of the rounds`,
    ['', 'req/s', 'p50 ms', 'p99 ms', 'CPU µs/req', 'CPU ÷ trivial'],
    [...figures].map(([name, each]) => [
      name,
      rounded(each.requestsPerSecond, 0),
      rounded(each.p50, 2),
      rounded(each.p99, 2),
      rounded(each.cpuMicrosecondsPerRequest, 0),
      rounded(each.cpuMicrosecondsPerRequest / (floor?.cpuMicrosecondsPerRequest ?? Number.NaN), 2),
    ]),
  );
  bare.process.disconnect();
  trivial.process.disconnect();
  streaming.process.disconnect();
  await skerry.stop();
}

async function forkTrivialApp(env: NodeJS.ProcessEnv) {
  return await forkServer(
    path.join(ROOT, 'infra/local/host/main.ts'),
    ['--app', path.join(HERE, 'trivial-app'), '--port', '0'],
    { ...env, FUNCTIONS_WORKER_RUNTIME: 'node' },
  );
}

async function prepare(skerry: Skerry): Promise<void> {
  await put(`${skerry.url}/api/v1/apps/bench`, { config: { count: 0 } });
  for (let host = 1; host <= 10; host += 1) {
    await put(`${skerry.url}/api/v1/services/web/instances/host${host}`, {
      endpoints: { http: `http://10.0.0.${host}:8080` },
      ttl: 3600,
      tags: ['blue'],
      zone: 'eu-1',
    });
  }
}

async function benchRequestUnits(): Promise<void> {
  const rows = await measureRequestUnits();
  printTable(
    'Cosmos DB requests and request units of one operation (values of about 200 bytes, warm process)',
    ['', 'requests', 'RU'],
    rows.map(({ operation, requests, requestUnits }) => [
      operation,
      String(requests),
      rounded(requestUnits, 2),
    ]),
  );
}

async function benchStart(quick: boolean): Promise<void> {
  const rows: string[][] = [];
  for (const [name, flags] of [
    ['npm start, nothing changed since it was built', []],
    ['npm start -- --no-build', ['--no-build']],
  ] as const) {
    const times: number[] = [];
    for (let round = 0; round < (quick ? 1 : 5); round += 1) {
      times.push(await timeToFirstAnswer(flags));
    }
    rows.push([name, rounded(median(times) / 1000, 2)]);
  }
  printTable('From the command to the first answer', ['', 'median s'], rows);
}

async function timeToFirstAnswer(flags: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const ports = ['--port', '0', '--cosmos-port', '0', '--servicebus-port', '0', '--blob-port', '0'];
  const launcher = launch([...flags, ...ports, '--ephemeral']);
  const url = await new Promise<string>((resolve, reject) => {
    launcher.process.stdout?.on('data', () => {
      const ready = /^ready (\S+)$/m.exec(launcher.output())?.[1];
      if (ready !== undefined) resolve(ready);
    });
    launcher.process.once('exit', () => reject(new Error(launcher.output())));
  });
  await (await fetch(`${url}/api/v1/apps`)).text();
  const milliseconds = performance.now() - startedAt;
  launcher.process.kill('SIGTERM');
  await launcher.exitCode();
  return milliseconds;
}

/** Cold start, as far as the code decides it: importing the built functions, against an app that only has the library. */
async function benchImport(quick: boolean): Promise<void> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-bench-'));
  const empty = path.join(folder, 'empty.js');
  await build({
    stdin: {
      contents: "import { app } from '@azure/functions'; app.http('empty', { handler: () => ({}) });",
      resolveDir: ROOT,
    },
    outfile: empty,
    bundle: true,
    format: 'esm',
    platform: 'node',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    external: ['@azure/functions-core'],
  });
  await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
  const built = path.join(ROOT, 'dist/functions');
  const before = process.env.BENCH_BEFORE;
  const all = await entriesOf(built);
  const variants: Variant[] = [
    { name: 'empty functions app', files: [empty], folder: empty },
    ...(before === undefined ? [] : [{ name: 'before', files: await entriesOf(before), folder: before }]),
    { name: 'Skerry, all entries', files: all, folder: built },
    { name: 'to Application Insights', files: all, folder: built, env: TELEMETRY.applicationInsights },
    { name: 'to a collector (OTLP)', files: all, folder: built, env: TELEMETRY.otlp },
    { name: 'exporter of Application Insights alone', ...(await chunkOf(built, 'azure-monitor')) },
    { name: 'exporter of OTLP alone', ...(await chunkOf(built, 'otlp')) },
  ];
  const measured = new Map<Variant, ImportRun[]>(variants.map((variant) => [variant, []]));
  for (let round = 0; round < (quick ? 3 : 15); round += 1) {
    // In turn, so that a busy moment is nobody's alone.
    for (const [{ files, env = {} }, runs] of measured) runs.push(await measureImport(files, env));
  }
  const rows = await Promise.all(
    Array.from(measured, async ([{ name, folder }, runs]) => [
      name,
      String(runs[0]?.functions),
      rounded(median(runs.map((run) => run.milliseconds)), 0),
      rounded(median(runs.map((run) => run.cpuMilliseconds)), 0),
      rounded(median(runs.map((run) => run.firstRequestMilliseconds)), 1),
      rounded(median(runs.map((run) => run.rssBytes)) / 1e6, 0),
      rounded((await codeBytes(folder)) / 1e6, 2),
    ]),
  );
  printTable(
    'Import of the built functions (no compile cache), and a first request that needs no storage',
    ['', 'functions', 'median ms', 'CPU ms', 'request ms', 'RSS MB', 'code on disk MB'],
    rows,
  );
  await rm(folder, { recursive: true });
}

interface Variant {
  readonly name: string;
  readonly files: readonly string[];
  /** What it was loaded from. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
}

interface ImportRun {
  readonly milliseconds: number;
  /** Of the import, on all threads: what a busy machine disturbs least. */
  readonly cpuMilliseconds: number;
  readonly firstRequestMilliseconds: number;
  readonly functions: number;
  readonly rssBytes: number;
}

/** Where nobody listens: nothing is sent within the first seconds. */
const TELEMETRY = {
  applicationInsights: {
    APPLICATIONINSIGHTS_CONNECTION_STRING:
      'InstrumentationKey=00000000-0000-4000-8000-000000000001;IngestionEndpoint=http://127.0.0.1:1/',
  },
  otlp: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' },
};

async function entriesOf(folder: string): Promise<string[]> {
  const files = await readdir(folder);
  return files.filter((file) => file.endsWith('.js')).map((file) => path.join(folder, file));
}

/** What is loaded when there is something to send for the first time. */
async function chunkOf(built: string, name: string): Promise<Pick<Variant, 'files' | 'folder'>> {
  const folder = path.join(built, 'chunks');
  const file = (await readdir(folder)).find((one) => one.startsWith(`${name}-`) && one.endsWith('.js')) ?? '';
  const chunk = path.join(folder, file);
  return { files: [chunk], folder: chunk };
}

async function measureImport(files: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [path.join(HERE, 'measure-import.mjs'), ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      SKERRY_COSMOS: 'AccountEndpoint=http://127.0.0.1:1/;AccountKey=a2V5;',
      SKERRY_SERVICEBUS:
        'Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=x;SharedAccessKey=y;UseDevelopmentEmulator=true;',
      SKERRY_BLOB: 'UseDevelopmentStorage=true',
      ...env,
    },
  });
  let output = '';
  for await (const chunk of child.stdout) {
    output += chunk;
  }
  return JSON.parse(output) as ImportRun;
}

async function codeBytes(folder: string): Promise<number> {
  if (folder.endsWith('.js')) return (await stat(folder)).size;
  const files = await readdir(folder, { recursive: true });
  const sizes = await Promise.all(
    files
      .filter((file) => file.endsWith('.js'))
      .map(async (file) => (await stat(path.join(folder, file))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function forkServer(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ process: ChildProcess; url: string; pid: number }> {
  const child = fork(file, args, { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const [message] = (await once(child, 'message')) as [{ url: string }];
  return { process: child, url: message.url, pid: child.pid ?? 0 };
}

async function put(url: string, body: object): Promise<void> {
  const response = await fetch(url, { method: 'PUT', headers: JSON_TYPE, body: JSON.stringify(body) });
  if (!response.ok) {
    throw new Error(`PUT ${url} was answered ${response.status}: ${await response.text()}`);
  }
  await response.arrayBuffer();
}
