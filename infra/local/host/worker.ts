import { flushCompileCache } from 'node:module';
import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker as Thread } from 'node:worker_threads';
import { readLocalSettings } from './app-settings.ts';
import { type FunctionsHost, startFunctionsHost } from './host.ts';
import { describeError, messageOf } from './log.ts';
import { type DrainStatus, isEnvelope, type WorkerNews, type WorkerOrder } from './worker-messages.ts';

/** How long the event loop may be blocked, in milliseconds: functionTimeout, within these bounds. */
const SHORTEST_HANG = 5_000;
const LONGEST_HANG = 60_000;
/** Wait for the supervisor's answers, in the order of their questions. */
const WAITING_FOR_STATUS: ((status: DrainStatus) => void)[] = [];

/** One of the processes that run the app: `worker.ts --app DIR [--secrets DIR] [--strict]`, started by the supervisor, whose orders it obeys. */
async function main(): Promise<void> {
  process.once('disconnect', () => process.exit(1));
  // Signals, such as those of a terminal, are the supervisor's to handle.
  process.on('SIGTERM', () => {});
  process.on('SIGINT', () => {});
  endOnUncaughtError();
  let host: FunctionsHost | undefined;
  process.on('message', (message: unknown, socket?: Socket) => {
    if (isEnvelope<WorkerOrder>(message)) obey(host, message.supervision, socket);
  });
  try {
    host = await start();
  } catch (error) {
    fail(messageOf(error));
    return;
  }
  const patience = Math.min(Math.max(host.functionTimeout, SHORTEST_HANG), LONGEST_HANG);
  tell({ type: 'loaded', patience });
  watchSupervisor();
  // Workers that are killed would write nothing down.
  flushCompileCache();
}

async function start(): Promise<FunctionsHost> {
  const { values } = parseArgs({
    options: {
      app: { type: 'string', default: '.' },
      secrets: { type: 'string' },
      strict: { type: 'boolean', default: false },
    },
  });
  const appDirectory = resolve(values.app);
  const secretsDirectory = values.secrets && resolve(values.secrets);
  const stateFolder = process.env.SKERRY_HOST_STATE;
  Object.assign(process.env, { ...(await readLocalSettings(appDirectory)), ...process.env });
  process.chdir(appDirectory);
  return startFunctionsHost({
    appDirectory,
    settings: process.env,
    strict: values.strict,
    ...(secretsDirectory && { secretsDirectory }),
    ...(stateFolder && { stateFolder: resolve(stateFolder) }),
    onTimeout: () => tell({ type: 'timed out' }),
    drainStatus: (begin) => {
      const { promise, resolve: wake } = Promise.withResolvers<DrainStatus>();
      WAITING_FOR_STATUS.push(wake);
      tell({ type: 'ask drain status', begin });
      return promise;
    },
  });
}

/** Before the app is loaded there is nothing to do but to stop. */
function obey(host: FunctionsHost | undefined, order: WorkerOrder, socket: Socket | undefined): void {
  if (host === undefined) {
    if (order.type === 'stop') process.exit(0);
    return;
  }
  switch (order.type) {
    case 'connection':
      tell({ type: 'accepted' });
      if (socket !== undefined) host.accept(socket);
      break;
    case 'listen':
      host.listen(order.first).then(
        () => tell({ type: 'listening' }),
        (error: Error) => fail(error.message),
      );
      break;
    case 'ping':
      tell({ type: 'pong', ...host.outstanding() });
      break;
    case 'drain':
      host.drain();
      break;
    case 'drain status':
      WAITING_FOR_STATUS.shift()?.(order.status);
      break;
    case 'stop':
      // A container's end is no secret to the app in it: what it holds open can end by itself.
      process.emit('SIGTERM', 'SIGTERM');
      void host.stop().finally(() => process.exit(0));
  }
}

function tell(news: WorkerNews, onSent: () => void = () => {}): void {
  if (process.connected) process.send?.({ supervision: news }, undefined, {}, onSent);
}

function fail(message: string): void {
  tell({ type: 'failed', message }, () => process.exit(1));
}

/** As Azure's worker does, whatever handlers the app has. A promise that nobody catches gets here too, unless the app handles it. */
function endOnUncaughtError(): void {
  process.on('uncaughtException', (error) => {
    process.stderr.write(`Worker uncaught exception: ${describeError(error)}\n`);
    process.exit(1);
  });
}

/** Notices the supervisor's death even while the event loop is blocked, which the end of their channel is not noticed in. */
function watchSupervisor(): void {
  const watch = `setInterval(() => {
    if (process.ppid !== ${process.ppid}) process.kill(process.pid, 'SIGKILL');
  }, 500);`;
  new Thread(watch, { eval: true }).unref();
}

void main();
