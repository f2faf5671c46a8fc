import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { shareCompiledCode } from '../launch/share-compiled-code.ts';
import { Supervisor } from './supervisor.ts';

const USAGE =
  'Usage: main.ts --app DIR [--port N] [--host ADDRESS] [--secrets DIR] [--strict] [--workers 1..10]';
const MOST_WORKERS = 10;

/**
 * The Functions host as a program, with the app's settings in the environment. Sends `{type: 'ready', url}` to its
 * parent; ends at once, workers and all, if the parent is gone, and drains on SIGTERM, SIGINT or `{type: 'stop'}`.
 */
async function main(): Promise<void> {
  shareCompiledCode();
  const { values } = parseArgs({
    options: {
      app: { type: 'string' },
      port: { type: 'string', default: '7071' },
      host: { type: 'string', default: '127.0.0.1' },
      secrets: { type: 'string' },
      workers: { type: 'string' },
      strict: { type: 'boolean', default: false },
    },
  });
  if (values.app === undefined) throw new Error(USAGE);
  const supervisor = new Supervisor({
    host: values.host,
    port: integerOf('port', values.port, 0, 65_535),
    workers: await workerCount(values.app, values.workers, values.strict),
    commandLine: [
      ...['--app', values.app],
      ...(values.secrets === undefined ? [] : ['--secrets', values.secrets]),
      ...(values.strict ? ['--strict'] : []),
    ],
  });
  obeyParent(supervisor);
  try {
    const url = await supervisor.start();
    if (process.send === undefined) console.log(`The functions answer at ${url}.`);
    else process.send({ type: 'ready', url });
  } catch (error) {
    supervisor.kill();
    throw error;
  }
}

/** One worker unless told, as in Azure; two in strict mode, so that an app that relies on one is found out. */
async function workerCount(app: string, flag: string | undefined, strict: boolean): Promise<number> {
  const text = flag ?? (await processCountSetting(app)) ?? (strict ? '2' : '1');
  return integerOf('number of workers', text, 1, MOST_WORKERS);
}

function integerOf(what: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new Error(`'${text}' is no ${what}. ${USAGE}`);
}

async function processCountSetting(app: string): Promise<string | undefined> {
  const { FUNCTIONS_WORKER_PROCESS_COUNT } = process.env;
  if (FUNCTIONS_WORKER_PROCESS_COUNT) return FUNCTIONS_WORKER_PROCESS_COUNT;
  // What reads the file takes longer to load than all else here.
  if (!existsSync(join(app, 'local.settings.json'))) return undefined;
  const { readLocalSettings } = await import('./app-settings.ts');
  return (await readLocalSettings(app)).FUNCTIONS_WORKER_PROCESS_COUNT;
}

function obeyParent(supervisor: Supervisor): void {
  const stop = () => void supervisor.stop().then(() => process.exit(0));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('message', (message: unknown) => {
    if (typeof message !== 'object' || message === null) return;
    if ('type' in message && message.type === 'stop') stop();
    else supervisor.relay(message);
  });
  process.once('disconnect', () => {
    supervisor.kill();
    process.exit(1);
  });
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? describeStartError(error) : String(error)}\n`);
  process.exit(1);
});

function describeStartError(error: Error): string {
  if ('code' in error && error.code === 'EADDRINUSE') {
    return `The port is taken: ${error.message}. Choose another with --port.`;
  }
  return error.message;
}
