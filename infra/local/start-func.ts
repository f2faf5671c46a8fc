/**
 * `npm run start:func`: the servers, and the functions on them with Azure Functions Core Tools in place of the embedded host. See
 * `launch/options.ts` for its flags.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { appEnvironment } from './launch/app-settings.ts';
import { LaunchError } from './launch/launch-error.ts';
import { buildFunctions, hostPort } from './launch/launch-skerry.ts';
import { FUNC_USAGE, type FuncOptions, parseFuncOptions } from './launch/options.ts';
import { runUntilStopped } from './launch/run-until-stopped.ts';
import { secretKeyOf } from './launch/secret-key.ts';
import { claimDataAndPorts, startServers } from './launch/servers.ts';

const root = path.resolve(import.meta.dirname, '../..');

const NOT_INSTALLED =
  'Azure Functions Core Tools are not installed: there is no `func` on the PATH. `npm install -g azure-functions-core-tools@4` brings them; `npm start` does without.';

await runUntilStopped<FuncOptions>({
  command: 'npm run start:func',
  usage: FUNC_USAGE,
  parse: parseFuncOptions,
  say: console.log,
  async start(options, teardown) {
    const dataFolder = await claimDataAndPorts(options, teardown, [hostPort(options)]);
    const [{ connections }] = await Promise.all([
      startServers({ options, dataFolder, teardown }),
      options.build ? buildFunctions() : undefined,
    ]);
    const environment = {
      ...appEnvironment(process.env, connections, await secretKeyOf(dataFolder.path)),
      // Core Tools keep the timers' locks in Blob Storage.
      AzureWebJobsStorage: connections.blob,
    };
    const func = spawn('func', ['start', '--port', String(options.ports.host)], {
      cwd: root,
      env: environment,
      stdio: 'inherit',
    });
    const ended = once(func, 'exit');
    teardown.add(async () => {
      func.kill('SIGTERM');
      await ended.catch(() => {});
    });
    const [code] = await ended.catch((error: unknown) => {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      throw isMissing ? new LaunchError(NOT_INSTALLED) : error;
    });
    if (!teardown.begun) throw new LaunchError(`Core Tools ended (exit code ${code}).`);
  },
});
