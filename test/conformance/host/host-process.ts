import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

const HOST = path.resolve(import.meta.dirname, '../../../infra/local/host/main.ts');

/** What a fixture app tells its test, by `process.send`. */
export interface Report {
  readonly type: 'report';
  readonly [property: string]: unknown;
}

export interface HostProcess {
  readonly pid: number;
  readonly url: string;
  /** All that the fixture app has reported so far. */
  readonly reports: readonly Report[];
  /** All that the host has written so far. */
  output(): string;
  send(message: object): void;
  signal(signal: NodeJS.Signals): void;
  /** Closes the channel, as a parent does that dies. */
  disconnect(): void;
  /** The exit code, once the process has ended; null if it was killed. */
  readonly exited: Promise<number | null>;
  /** Ends the process if it still runs. */
  kill(): Promise<void>;
}

/** A host that did not become ready: how it ended and what it said. */
export class HostStartError extends Error {
  readonly exitCode: number | null;

  constructor(exitCode: number | null, output: string) {
    super(output);
    this.exitCode = exitCode;
  }
}

/** Starts the host in a process of its own, as the library's registrations last as long as a process does. */
export async function startHost(
  fixture: string,
  environment: Record<string, string> = {},
  argumentsAfter: readonly string[] = [],
): Promise<HostProcess> {
  const app = path.resolve(import.meta.dirname, 'fixtures', fixture);
  const child = fork(HOST, ['--app', app, '--port', '0', ...argumentsAfter], {
    env: environment,
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const reports: Report[] = [];
  child.on('message', (message: Report) => {
    if (message.type === 'report') reports.push(message);
  });
  const exited = exitCode(child);
  const url = await Promise.race([
    readyUrl(child),
    exited.then((code) => {
      throw new HostStartError(code, output);
    }),
  ]);
  return {
    pid: child.pid ?? 0,
    url,
    reports,
    output: () => output,
    send: (message) => child.send(message),
    signal: (signal) => child.kill(signal),
    disconnect: () => child.disconnect(),
    exited,
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Waits for the streams too: after `disconnect` node does not always tell of the process's `close`. */
async function exitCode(child: ChildProcess): Promise<number | null> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('The host was started without pipes.');
  const [[code]] = await Promise.all([once(child, 'exit'), once(stdout, 'end'), once(stderr, 'end')]);
  return code as number | null;
}

async function readyUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on('message', (message: { type: string; url?: string }) => {
      if (message.type === 'ready' && message.url !== undefined) resolve(message.url);
    });
  });
}
