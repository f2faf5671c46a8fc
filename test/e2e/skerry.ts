import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MILLISECONDS = 60_000;
const STOP_MILLISECONDS = 45_000;
export const FREE_PORTS = [
  '--port',
  '0',
  '--cosmos-port',
  '0',
  '--servicebus-port',
  '0',
  '--blob-port',
  '0',
] as const;

const root = path.resolve(import.meta.dirname, '../..');

const running = new Set<ChildProcess>();
process.once('exit', killLaunched);

/** Ends what was launched and still runs, as after a test that was given up in the midst of a start. */
export function killLaunched(): void {
  for (const launcher of running) launcher.kill('SIGKILL');
}

/** What a laptop hides and Azure has: traps of the host, containers that nobody may create, several physical partitions. */
const TRAPS = {
  all: ['--strict', '--no-control-plane', '--partitions', '4'],
  strict: ['--strict'],
  none: [],
} as const;

export interface SkerryOptions {
  /** All unless told: `strict` leaves the control plane open, over one partition; `none` is `npm start` as it is. */
  readonly traps?: keyof typeof TRAPS;
  /** Further flags of `npm start`; they win over the fixture's own. */
  readonly flags?: readonly string[];
  /** Settings of the app, such as SKERRY_WEBHOOK_RETRY_SECONDS. */
  readonly env?: Readonly<Record<string, string>>;
  /** Keeps the data there; without it the data is gone at the end. */
  readonly dataFolder?: string;
}

/** The whole of Skerry as `npm start` starts it, on free ports. */
export interface Skerry {
  /** Where the API answers, without a slash at the end. */
  readonly url: string;
  readonly pid: number;
  readonly connections: { readonly cosmos: string; readonly servicebus: string; readonly blob: string };
  /** All that it has written so far. */
  output(): string;
  /** SIGKILL to the process that the banner names; returns once that one is gone, its children may take a moment longer. */
  kill(): Promise<void>;
  /** SIGTERM, as Ctrl-C does; returns once everything has ended, and fails unless it ended cleanly. */
  stop(): Promise<void>;
}

/** A launcher that may or may not come to answer. */
export interface Launcher {
  readonly process: ChildProcess;
  /** All that it has written so far, on both streams. */
  output(): string;
  /** All that it has written to standard output so far. */
  results(): string;
  /** Waits for its end, with a deadline; null after a signal. */
  exitCode(): Promise<number | null>;
}

/**
 * Starts Skerry and waits until it answers. The functions are used as they were last built, which `npm test` does first.
 *
 * @throws Error with what it wrote, when it ends or is not ready within a minute.
 */
export async function startSkerry(options: SkerryOptions = {}): Promise<Skerry> {
  const place = options.dataFolder === undefined ? ['--ephemeral'] : ['--data', options.dataFolder];
  const flags = [...FREE_PORTS, ...place, ...TRAPS[options.traps ?? 'all'], ...(options.flags ?? [])];
  const launcher = launch(['--no-build', ...flags], { env: options.env });
  const url = await readyUrl(launcher);
  const pid = Number(bannerValue(launcher, 'pid'));
  return {
    url,
    pid,
    connections: {
      cosmos: bannerValue(launcher, 'SKERRY_COSMOS'),
      servicebus: bannerValue(launcher, 'SKERRY_SERVICEBUS'),
      blob: bannerValue(launcher, 'SKERRY_BLOB'),
    },
    output: launcher.output,
    async kill() {
      if (hasEnded(launcher.process)) return;
      process.kill(pid, 'SIGKILL');
      await launcher.exitCode();
    },
    async stop() {
      if (hasEnded(launcher.process)) return;
      launcher.process.kill('SIGTERM');
      const code = await launcher.exitCode();
      if (code !== 0) {
        throw new Error(`Skerry ended with exit code ${code}:\n${launcher.output()}`);
      }
    },
  };
}

export interface LaunchedProgram {
  /** Which of `infra/local/*.ts`; `start` unless told. */
  readonly program?: 'start' | 'cloud' | 'start-func';
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** Runs one of the programs of `infra/local` with these flags. */
export function launch(
  flags: readonly string[],
  { program = 'start', env = {} }: LaunchedProgram = {},
): Launcher {
  const launcher = spawn(process.execPath, [`infra/local/${program}.ts`, ...flags], {
    cwd: root,
    // Tests come from one address and as one caller, all at once.
    env: { ...process.env, SKERRY_RATE_LIMIT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let results = '';
  launcher.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    results += text;
  });
  launcher.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  running.add(launcher);
  launcher.once('exit', () => running.delete(launcher));

  return {
    process: launcher,
    output: () => output,
    results: () => results,
    async exitCode() {
      if (!hasEnded(launcher)) {
        await within(STOP_MILLISECONDS, once(launcher, 'exit'), () =>
          failure(launcher, 'did not end', output),
        );
      }
      return launcher.exitCode;
    },
  };
}

async function readyUrl(launcher: Launcher): Promise<string> {
  const ready = new Promise<string>((resolve, reject) => {
    launcher.process.stdout?.on('data', () => {
      const url = /^ready (\S+)$/m.exec(launcher.output())?.[1];
      if (url !== undefined) resolve(url);
    });
    launcher.process.once('exit', (code) =>
      reject(new Error(`Skerry did not start (exit code ${code}):\n${launcher.output()}`)),
    );
  });
  return await within(START_MILLISECONDS, ready, () =>
    failure(launcher.process, 'is not ready', launcher.output()),
  );
}

function bannerValue(launcher: Launcher, name: string): string {
  const value = new RegExp(`^ +${name} +(\\S+)`, 'm').exec(launcher.output())?.[1];
  if (value === undefined) {
    throw new Error(`The banner does not show ${name}:\n${launcher.output()}`);
  }
  return value;
}

function hasEnded(launcher: ChildProcess): boolean {
  return launcher.exitCode !== null || launcher.signalCode !== null;
}

function failure(launcher: ChildProcess, what: string, output: string): Error {
  launcher.kill('SIGKILL');
  return new Error(`Skerry ${what} in time; it was killed. Its output:\n${output}`);
}

async function within<T>(milliseconds: number, promise: Promise<T>, late: () => Error): Promise<T> {
  const patience = new AbortController();
  const deadline = sleep(milliseconds, undefined, { signal: patience.signal }).then(() => {
    throw late();
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    patience.abort();
    deadline.catch(() => {});
  }
}
