import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { LOCAL_SETTINGS } from '../../infra/local/launch/app-settings.ts';
import {
  blobConnectionString,
  cosmosConnectionString,
  serviceBusConnectionString,
} from '../../infra/local/launch/connection-strings.ts';
import { UNUSED_PORT } from '../../infra/local/launch/ports.ts';
import type { Skerry } from './skerry.ts';

const START_MILLISECONDS = 60_000;
const STOP_MILLISECONDS = 45_000;
const root = path.resolve(import.meta.dirname, '../..');

const TRIGGERS = [
  ...['changefeed-fanout', 'servicebus-deliver', 'servicebus-commands', 'servicebus-steps'],
  ...['timers-sweep', 'timers-compact', 'timers-bundles'],
];

/** Addresses at which nothing answers. */
const NOWHERE: Skerry['connections'] = {
  cosmos: cosmosConnectionString(UNUSED_PORT),
  servicebus: serviceBusConnectionString(UNUSED_PORT),
  blob: blobConnectionString(UNUSED_PORT),
};

export interface FunctionsHost {
  readonly url: string;
  stop(): Promise<void>;
}

export interface FunctionsHostOptions {
  /** The folder of what is deployed; the repository unless told. */
  readonly app?: string;
  /** Of a Skerry that runs; nowhere unless told. */
  readonly connections?: Skerry['connections'];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * The functions alone, outside local mode, with nothing but requests to trigger them: over the servers of a Skerry that runs they
 * are another one with other settings, for a third of what its start computes.
 *
 * @throws Error when they are not ready within a minute.
 */
export async function startFunctionsHost({
  app = root,
  connections = NOWHERE,
  env = {},
}: FunctionsHostOptions = {}): Promise<FunctionsHost> {
  const host = fork(path.resolve(root, 'infra/local/host/main.ts'), ['--app', app, '--port', '0'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      ...process.env,
      FUNCTIONS_WORKER_RUNTIME: LOCAL_SETTINGS.FUNCTIONS_WORKER_RUNTIME,
      SKERRY_RATE_LIMIT: '0',
      SKERRY_COSMOS: connections.cosmos,
      SKERRY_SERVICEBUS: connections.servicebus,
      SKERRY_BLOB: connections.blob,
      ...Object.fromEntries(TRIGGERS.map((name) => [`AzureWebJobs.${name}.Disabled`, 'true'])),
      ...env,
    },
  });
  try {
    const signal = AbortSignal.timeout(START_MILLISECONDS);
    const [message] = (await once(host, 'message', { signal })) as [{ url: string }];
    return { url: new URL(message.url).origin, stop: () => stop(host) };
  } catch (error) {
    host.kill('SIGKILL');
    throw error;
  }
}

async function stop(host: ChildProcess): Promise<void> {
  if (host.exitCode !== null || host.signalCode !== null) return;
  const ended = once(host, 'exit');
  host.kill('SIGTERM');
  const patience = setTimeout(() => host.kill('SIGKILL'), STOP_MILLISECONDS);
  await ended;
  clearTimeout(patience);
}
