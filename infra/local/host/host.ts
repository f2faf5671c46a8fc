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
  functionsOf,
  type HttpTrigger,
} from './function-definition.ts';
import { FunctionKeys } from './function-keys.ts';
import { readHostJson } from './host-json.ts';
import { FunctionsServer } from './http-server.ts';
import { HttpStream } from './http-stream.ts';
import { Invoker, type TriggerEvent } from './invocation.ts';
import type { Listener } from './listener.ts';
import { loadApp } from './load-app.ts';
import { describeError, Log, type LogWriter } from './log.ts';
import { withRetry } from './retry.ts';
import { Router } from './router.ts';
import type { TypedData } from './rpc.ts';
import { timerInput } from './timer-listener.ts';

export interface FunctionsHostOptions {
  /** Folder with host.json and a package.json whose `main` names the built entry files. */
  readonly appDirectory: string;
  /** 0 for any free one. */
  readonly port: number;
  /** The loopback interface unless told. */
  readonly host?: string;
  readonly settings: Environment;
  /** Folder with the app's keys, as the real host writes them; without it every caller is an administrator. */
  readonly secretsDirectory?: string;
  /** Whether to do as Azure does where this host is otherwise kinder. */
  readonly strict?: boolean;
  /** Where timers remember when they ran; in memory unless told. */
  readonly stateFolder?: string;
  /** Receives what host.json's log levels let through; the console unless told. */
  readonly log?: LogWriter;
  /** Called when a function has outlived functionTimeout, after which Azure kills the process. */
  readonly onTimeout?: (error: Error) => void;
}

export interface FunctionsHost {
  readonly url: string;
  /** Drains: takes no new work, gives what runs ten seconds to end and appTerminate hooks five. */
  stop(): Promise<void>;
}

const DRAIN_TIMEOUT = 10_000;
const TERMINATE_HOOKS_TIMEOUT = 5_000;
const DEFAULT_BODY_SIZE_LIMIT = 100 * 1024 * 1024;
const CATEGORY = 'Host.Startup';

/**
 * Loads a built Functions app through the real `@azure/functions` library and runs it in this process. Once per
 * process only: the library keeps its registrations for as long as the process lives.
 *
 * @throws Error that says what is wrong with the app, its settings or the port.
 */
export async function startFunctionsHost(options: FunctionsHostOptions): Promise<FunctionsHost> {
  const { appDirectory, port, host = '127.0.0.1', secretsDirectory, strict = false } = options;
  const settings = new AppSettings(options.settings);
  const runtime = settings.get('FUNCTIONS_WORKER_RUNTIME');
  if (runtime !== undefined && runtime !== 'node')
    throw new Error(`FUNCTIONS_WORKER_RUNTIME is '${runtime}', not 'node'.`);
  const hostJson = await readHostJson(appDirectory);
  const log = new Log(hostJson.logging.logLevel, options.log);

  const keys = secretsDirectory === undefined ? undefined : await FunctionKeys.read(secretsDirectory);

  const core = new CoreApi(log);
  core.install();
  const streamServer = await loadApp(appDirectory, core);
  const { model } = core;
  if (model === undefined) throw new Error(`The app in ${appDirectory} registers no function.`);
  const definitions = defineFunctions(core.functions, settings, hostJson.retry);
  const httpFunctions = functionsOf(definitions, 'httpTrigger');
  const router = new Router(httpFunctions, hostJson.extensions.http.routePrefix);
  if (keys === undefined) warnOfMissingKeys(httpFunctions, log);

  const stopping = new AbortController();
  const invoker = new Invoker({
    core,
    model,
    log,
    functionTimeout: hostJson.functionTimeout,
    onTimeout: options.onTimeout ?? (() => {}),
  });
  const run = (definition: FunctionDefinition, event: TriggerEvent) =>
    runWithRetry(invoker, definition, event, stopping.signal);
  const listeners = await createListeners({
    definitions,
    settings,
    hostJson,
    log,
    run,
    stateFolder: timerFolder(options),
  });
  const { routePrefix } = hostJson.extensions.http;
  const admin: AdminEndpoints = new AdminEndpoints({
    definitions,
    state: () => server.state,
    fire: (definition, input) => fire(run, definition, input),
    routePrefix,
    keys,
  });
  const server = new FunctionsServer(admin, log);
  const running: RunningHost = { core, invoker, listeners, log, server, stopping };

  const url = await server.listen(host, port);
  try {
    await Promise.all(listeners.map((listener) => listener.start(stopping.signal)));
  } catch (error) {
    await stopHost(running);
    throw error;
  }
  server.serve({
    router,
    invoker,
    stream: streamServer && new HttpStream({ server: streamServer, invoker, log, strict }),
    keys,
    http: hostJson.extensions.http,
    bodySizeLimit: Number(settings.get('FUNCTIONS_REQUEST_BODY_SIZE_LIMIT') ?? DEFAULT_BODY_SIZE_LIMIT),
    homePageDisabled: settings.get('AzureWebJobsDisableHomepage')?.toLowerCase() === 'true',
    readsBodyFields: strict,
  });
  log.write('information', CATEGORY, `${definitions.length} functions from ${appDirectory} at ${url}`);
  let stopped: Promise<void> | undefined;
  return {
    url,
    stop: () => {
      stopped ??= stopHost(running);
      return stopped;
    },
  };
}

interface RunningHost {
  readonly core: CoreApi;
  readonly invoker: Invoker;
  readonly listeners: readonly Listener[];
  readonly log: Log;
  readonly server: FunctionsServer;
  readonly stopping: AbortController;
}

async function stopHost({ core, invoker, listeners, log, server, stopping }: RunningHost): Promise<void> {
  stopping.abort();
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
  definition: FunctionDefinition,
  event: TriggerEvent,
  signal: AbortSignal,
): Promise<void> {
  if (definition.retry === undefined) {
    await invoker.invoke(definition, event);
    return;
  }
  const invocationId = crypto.randomUUID();
  const tools = { clock: hostClock, random: systemRandom, signal };
  await withRetry(definition.retry, tools, (retryContext) => {
    return invoker.invoke(definition, { ...event, invocationId, retryContext });
  });
}

/** Runs what `POST /admin/functions/{name}` asks for; the caller does not learn how it ends. */
function fire(
  run: (definition: FunctionDefinition, event: TriggerEvent) => Promise<void>,
  definition: FunctionDefinition,
  input: string,
): void {
  const data: TypedData =
    definition.trigger.type === 'timerTrigger' ? timerInput(undefined, false) : { string: input };
  // A failure has been logged by the invoker.
  run(definition, { input: data }).catch(() => undefined);
}

function warnOfMissingKeys(functions: readonly FunctionDefinition<HttpTrigger>[], log: Log): void {
  const guarded = functions.filter(({ trigger }) => trigger.authLevel !== 'anonymous');
  const message = 'No keys are checked, as under `func start`: every caller is an administrator.';
  if (guarded.length === 0) log.write('information', CATEGORY, message);
  else
    log.write(
      'warning',
      CATEGORY,
      `${message} Keys guard ${guarded.map(({ name }) => name).join(', ')} in Azure.`,
    );
}

function timerFolder({ stateFolder }: FunctionsHostOptions): string | undefined {
  return stateFolder === undefined ? undefined : join(stateFolder, 'timers');
}
