import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemRandom } from '../../../shared/platform/random.ts';
import { AdminEndpoints } from './admin-endpoints.ts';
import { AppSettings, type Environment } from './app-settings.ts';
import { hostClock } from './clock.ts';
import { CoreApi } from './core-api.ts';
import { createListeners } from './create-listeners.ts';
import {
  defineFunctions,
  type FunctionDefinition,
  type HttpTrigger,
  isFiredBy,
} from './function-definition.ts';
import { FunctionKeys } from './function-keys.ts';
import { hostJsonSchema } from './host-json.ts';
import { FunctionsServer } from './http-server.ts';
import { HttpStream } from './http-stream.ts';
import { Invoker, type TriggerEvent } from './invocation.ts';
import type { Listener } from './listener.ts';
import { loadApp } from './load-app.ts';
import { describeError, Log, messageOf } from './log.ts';
import { readJson } from './read-json.ts';
import { Retries } from './retry.ts';
import { Router } from './router.ts';
import type { DrainStatus, Outstanding } from './worker-messages.ts';

export interface FunctionsHostOptions {
  /** Folder with host.json and a package.json whose `main` names the built entry files. */
  readonly appDirectory: string;
  readonly settings: Environment;
  /** Folder with the app's keys, as the real host writes them; without it every caller is an administrator. */
  readonly secretsDirectory?: string;
  /** Whether to do as Azure does where this host is otherwise kinder. */
  readonly strict: boolean;
  /** Where timers remember when they ran; in memory unless told. */
  readonly stateFolder?: string;
  /** Called when a function has outlived functionTimeout, after which Azure kills the process. */
  readonly onTimeout: () => void;
  /** How far all workers have come with draining, which begins if that is asked for. */
  readonly drainStatus: (begin: boolean) => Promise<DrainStatus>;
}

export interface FunctionsHost {
  /** In milliseconds; infinite for none. */
  readonly functionTimeout: number;
  /** Serves a connection. */
  accept(socket: Socket): void;
  /**
   * Starts what fires functions other than HTTP ones, in one process only. Unless `first`, a listener that fails is
   * tried again until it starts.
   *
   * @throws Error if what a trigger names does not exist.
   */
  listen(first: boolean): Promise<void>;
  /** Stops what `listen` started; what runs goes on. */
  drain(): void;
  outstanding(): Outstanding;
  /** Drains: takes no new work, gives what runs ten seconds to end and appTerminate hooks five. */
  stop(): Promise<void>;
}

const DRAIN_TIMEOUT = 10_000;
const TERMINATE_HOOKS_TIMEOUT = 5_000;
const LISTENER_PAUSE = 5_000;
const DEFAULT_BODY_SIZE_LIMIT = 100 * 1024 * 1024;
const CATEGORY = 'Host.Startup';

/**
 * Loads a built Functions app through the real `@azure/functions` library, to run in this process. Once per
 * process only: the library keeps its registrations for as long as the process lives.
 *
 * @throws Error that says what is wrong with the app or its settings.
 */
export async function startFunctionsHost(options: FunctionsHostOptions): Promise<FunctionsHost> {
  const { appDirectory, secretsDirectory, strict, stateFolder, onTimeout, drainStatus } = options;
  const settings = new AppSettings(options.settings);
  const runtime = settings.get('FUNCTIONS_WORKER_RUNTIME');
  if (runtime !== undefined && runtime !== 'node')
    throw new Error(`FUNCTIONS_WORKER_RUNTIME is '${runtime}', not 'node'.`);
  const hostJson = await readJson(join(appDirectory, 'host.json'), hostJsonSchema);
  const { functionTimeout } = hostJson;
  const log = new Log(hostJson.logging.logLevel);

  const keys = secretsDirectory === undefined ? undefined : await FunctionKeys.read(secretsDirectory);

  const core = new CoreApi(log);
  core.install();
  const streamServer = await loadApp(appDirectory, core);
  const { model } = core;
  if (model === undefined) throw new Error(`The app in ${appDirectory} registers no function.`);
  const isChosen = (name: string) => hostJson.functions?.includes(name.toLowerCase()) ?? true;
  const chosen = core.functions.filter(({ metadata }) => isChosen(metadata.name));
  const definitions = await defineFunctions(chosen, settings, hostJson.retry);
  const httpFunctions = definitions.filter((definition) => isFiredBy(definition, 'httpTrigger'));
  const { routePrefix } = hostJson.extensions.http;
  const router = new Router(httpFunctions, routePrefix);

  const stopping = new AbortController();
  const draining = new AbortController();
  const startNothing = () => {
    draining.abort();
    stopping.abort();
  };
  const invoker = new Invoker({
    core,
    model,
    log,
    functionTimeout,
    onTimeout() {
      startNothing();
      onTimeout();
    },
  });
  const retries = new Retries({ clock: hostClock, random: systemRandom, signal: stopping.signal });
  const run = (definition: FunctionDefinition, event: TriggerEvent) =>
    runWithRetry(invoker, retries, definition, event);
  const listeners = await createListeners({
    definitions,
    settings,
    hostJson,
    log,
    run,
    strict,
    stateFolder,
  });
  const errors = new Map<Listener, string>();
  const admin = new AdminEndpoints({
    appDirectory,
    definitions,
    errors,
    state: () => (stopping.signal.aborted ? 'Stopping' : 'Running'),
    run,
    log,
    drainStatus,
    routePrefix,
    keys,
  });
  const bodySizeLimit = settings.get('FUNCTIONS_REQUEST_BODY_SIZE_LIMIT') ?? '';
  const server = new FunctionsServer({
    router,
    invoker,
    admin,
    log,
    stream: streamServer && new HttpStream({ server: streamServer, invoker, log, strict }),
    keys,
    http: hostJson.extensions.http,
    bodySizeLimit: /^\d+$/.test(bodySizeLimit) ? Number(bodySizeLimit) : DEFAULT_BODY_SIZE_LIMIT,
    homePageDisabled: settings.get('AzureWebJobsDisableHomepage')?.toLowerCase() === 'true',
  });
  let stopped: Promise<void> | undefined;
  return {
    functionTimeout,
    accept: (socket) => server.accept(socket),
    async listen(first) {
      if (first && keys === undefined) warnOfMissingKeys(httpFunctions, log);
      const start = (listener: Listener) => startListener(listener, first, draining.signal, log, errors);
      await Promise.all(listeners.map(start));
      log.write('information', CATEGORY, `${definitions.length} functions from ${appDirectory}`);
    },
    drain: () => draining.abort(),
    outstanding: () => ({
      outstandingInvocations: invoker.runningCount,
      outstandingRetries: retries.waitingCount,
    }),
    stop() {
      startNothing();
      stopped ??= stopHost({ core, invoker, listeners, log, server });
      return stopped;
    },
  };
}

async function startListener(
  listener: Listener,
  first: boolean,
  signal: AbortSignal,
  log: Log,
  errors: Map<Listener, string>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await listener.start(signal);
      errors.delete(listener);
      return;
    } catch (error) {
      if (first) throw error;
      errors.set(listener, messageOf(error));
      log.write('error', CATEGORY, `A listener cannot start, trying on: ${describeError(error)}`);
      await hostClock.sleep(LISTENER_PAUSE, signal);
    }
  }
}

interface RunningHost {
  readonly core: CoreApi;
  readonly invoker: Invoker;
  readonly listeners: readonly Listener[];
  readonly log: Log;
  readonly server: FunctionsServer;
}

async function stopHost({ core, invoker, listeners, log, server }: RunningHost): Promise<void> {
  const answered = server.stopAccepting();
  const settled = invoker.whenIdle().then(() => Promise.all(listeners.map((listener) => listener.close())));
  await within(DRAIN_TIMEOUT, Promise.all([answered, settled]), () => {
    log.write(
      'warning',
      CATEGORY,
      `${invoker.runningCount} invocations did not end within ${DRAIN_TIMEOUT} ms`,
    );
  });
  await within(TERMINATE_HOOKS_TIMEOUT, core.runAppHooks('appTerminate', {}), () => {
    log.write('warning', CATEGORY, `appTerminate hooks did not end within ${TERMINATE_HOOKS_TIMEOUT} ms`);
  }).catch((error: unknown) =>
    log.write('error', CATEGORY, `An appTerminate hook failed: ${describeError(error)}`),
  );
  invoker.close();
  server.close();
}

async function within(milliseconds: number, work: Promise<unknown>, onTimeout: () => void): Promise<void> {
  const finished = new AbortController();
  const timeout = delay(milliseconds, 'timeout', { signal: finished.signal }).catch(() => undefined);
  try {
    if ((await Promise.race([work, timeout])) === 'timeout') onTimeout();
  } finally {
    finished.abort();
  }
}

/** Runs a function as its trigger would, with its retry policy if it has one; all attempts share one invocation id. */
async function runWithRetry(
  invoker: Invoker,
  retries: Retries,
  definition: FunctionDefinition,
  event: TriggerEvent,
): Promise<void> {
  if (definition.retry === undefined) {
    await invoker.invoke(definition, event);
    return;
  }
  const invocationId = randomUUID();
  await retries.run(definition.retry, (retryContext) => {
    return invoker.invoke(definition, { ...event, invocationId, retryContext });
  });
}

function warnOfMissingKeys(functions: readonly FunctionDefinition<HttpTrigger>[], log: Log): void {
  const guarded = functions.filter(({ trigger }) => trigger.authLevel !== 'anonymous');
  const message =
    'No keys of the host are checked, as under `func start`: its own endpoints, /admin, are open.';
  if (guarded.length === 0) log.write('information', CATEGORY, message);
  else
    log.write(
      'warning',
      CATEGORY,
      `${message} Keys guard ${guarded.map(({ name }) => name).join(', ')} in Azure.`,
    );
}
