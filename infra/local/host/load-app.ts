import { EventEmitter } from 'node:events';
import { glob } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { CoreApi } from './core-api.ts';
import { describeError } from './log.ts';
import { readJson } from './read-json.ts';

const packageJson = z.object({
  main: z.string('must be the pattern of the entry files'),
  type: z.unknown().optional(),
});
const WORKER_CAPABILITIES = [
  'RawHttpBodyBytes',
  'RpcHttpTriggerMetadataRemoved',
  'RpcHttpBodyOnly',
  'IgnoreEmptyValuedRpcHttpHeaders',
  'UseNullableValueDictionaryForHttp',
  'WorkerStatus',
  'TypedDataCollection',
  'HandlesWorkerTerminateMessage',
];

/**
 * Runs the app's entry files, which register its functions, then its start hooks, and closes the registration
 * (azure-functions-nodejs-worker, `src/startApp.ts`). Returns the library's own HTTP server if the app streams: it
 * listens nowhere, and takes what is emitted on it as `request`.
 *
 * @throws Error if an entry file or a hook fails.
 */
export async function loadApp(appDirectory: string, core: CoreApi): Promise<EventEmitter | undefined> {
  const { main, type } = await readJson(join(appDirectory, 'package.json'), packageJson);
  const requireFromApp = createRequire(join(appDirectory, 'package.json'));
  for (const file of await entryFiles(appDirectory, main)) {
    const isModule = file.endsWith('.mjs') || (type === 'module' && !file.endsWith('.cjs'));
    const load = () => (isModule ? import(pathToFileURL(file).href) : requireFromApp(file));
    await runAppCode(`The app's file ${file} failed`, load);
  }
  const context = { functionAppDirectory: appDirectory };
  await runAppCode('An appStart hook failed', () => core.runAppHooks('appStart', context));
  const streamServer = await closeSetup(core);
  core.lock();
  return streamServer;
}

/** Tells the app's own errors, whose stack says where they come from, from what the host finds wrong. */
async function runAppCode(failure: string, run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (error) {
    throw new Error(`${failure}: ${describeError(error)}`);
  }
}

async function entryFiles(appDirectory: string, pattern: string): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob(pattern, { cwd: appDirectory })) files.push(file);
  if (files.length === 0) {
    throw new Error(
      `No file in ${appDirectory} matches '${pattern}', the 'main' of its package.json. Is the app built?`,
    );
  }
  return files.sort().map((file) => resolve(appDirectory, file));
}

async function closeSetup(core: CoreApi): Promise<EventEmitter | undefined> {
  const { createServer } = http;
  let streamServer: EventEmitter | undefined;
  http.createServer = () => {
    const server = Object.assign(new EventEmitter(), {
      listen: (onListening: () => void) => queueMicrotask(onListening),
      address: () => ({ port: 1 }),
    });
    streamServer = server;
    return server as unknown as http.Server;
  };
  let capabilities: Promise<Record<string, string>> | undefined;
  try {
    // The library makes its server before this returns, and the app's own code gets no chance to run in between.
    capabilities = core.model?.getCapabilities(
      Object.fromEntries(WORKER_CAPABILITIES.map((name) => [name, 'true'])),
    );
  } finally {
    http.createServer = createServer;
  }
  if ((await capabilities)?.HttpUri !== undefined && streamServer === undefined) {
    throw new Error('This version of @azure/functions streams in a way that this host does not know.');
  }
  return streamServer;
}
