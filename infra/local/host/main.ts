import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readLocalSettings } from './app-settings.ts';
import { type FunctionsHost, startFunctionsHost } from './host.ts';
import { describeError } from './log.ts';

/** As `timeout(1)`: a function outlived functionTimeout, and whoever started this process should start it again. */
const TIMEOUT_EXIT_CODE = 124;
/** Lets the failed invocation's answer, abandoned message or checkpoint out before the process ends. */
const TIMEOUT_GRACE = 500;

/**
 * The process that runs an app: `main.ts --app DIR --port N`, with the app's settings in the environment. Sends
 * `{type: 'ready', url}` to its parent; ends at once if the parent is gone, and drains on SIGTERM, SIGINT or `{type: 'stop'}`.
 */
async function main(): Promise<void> {
  process.once('disconnect', () => process.exit(1));
  const { values } = parseArgs({
    options: {
      app: { type: 'string' },
      port: { type: 'string', default: '7071' },
      host: { type: 'string' },
      secrets: { type: 'string' },
      strict: { type: 'boolean', default: false },
    },
  });
  if (values.app === undefined)
    throw new Error('Usage: main.ts --app DIR [--port N] [--host ADDRESS] [--secrets DIR] [--strict]');
  const appDirectory = resolve(values.app);
  const stateFolder = process.env.SKERRY_HOST_STATE;
  const secretsDirectory = values.secrets && resolve(values.secrets);

  Object.assign(process.env, { ...(await readLocalSettings(appDirectory)), ...process.env });
  process.chdir(appDirectory);
  const host = await startFunctionsHost({
    appDirectory,
    port: Number(values.port),
    ...(values.host !== undefined && { host: values.host }),
    settings: process.env,
    strict: values.strict,
    ...(secretsDirectory && { secretsDirectory }),
    ...(stateFolder && { stateFolder: resolve(stateFolder) }),
    onTimeout: () => setTimeout(() => process.exit(TIMEOUT_EXIT_CODE), TIMEOUT_GRACE),
  });
  stopOnRequest(host);
  process.send?.({ type: 'ready', url: host.url });
}

function stopOnRequest(host: FunctionsHost): void {
  const stop = () => void host.stop().finally(() => process.exit(0));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('message', (message: unknown) => {
    if (typeof message === 'object' && message !== null && 'type' in message && message.type === 'stop')
      stop();
  });
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? describeStartError(error) : String(error)}\n`);
  process.exit(1);
});

/** What the host found wrong as a message; an error behind it, such as one of the app's code, with its stack. */
function describeStartError(error: Error): string {
  if ('code' in error && error.code === 'EADDRINUSE') {
    return `The port is taken: ${error.message}. Choose another with --port.`;
  }
  return error.cause === undefined ? error.message : `${error.message} ${describeError(error.cause)}`;
}
