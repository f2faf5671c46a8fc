import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { LaunchError } from './launch-error.ts';

export interface ChildProgramOptions {
  /** How messages call it. */
  readonly name: string;
  readonly modulePath: string;
  readonly commandLine: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** How long it may take to end after SIGTERM before it is killed. */
  readonly stopMilliseconds: number;
}

/** A program of this repository that runs as a child: it says `{type: 'ready', url}` over IPC, and ends when its parent is gone. */
export interface ChildProgram {
  readonly pid: number;
  /**
   * The address that it answers at.
   *
   * @throws LaunchError when it ends before it is ready.
   */
  readonly ready: Promise<string>;
  /** How it ended, such as `exit code 1`; never rejects. */
  readonly ended: Promise<string>;
  /** Ends it: SIGTERM, and SIGKILL where that takes too long. */
  stop(): Promise<void>;
}

/**
 * Starts a program as a child in a process group of its own, so that a Ctrl-C in the terminal reaches the launcher alone and
 * the order of the end is the launcher's. Its output goes where the launcher's goes.
 */
export function startChildProgram(options: ChildProgramOptions): ChildProgram {
  const child = fork(options.modulePath, options.commandLine, {
    env: options.environment,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: process.platform !== 'win32',
  });
  if (child.pid === undefined) {
    throw new LaunchError(`The ${options.name} could not be started: no process was created.`);
  }
  const ended = endOf(child);
  return { pid: child.pid, ready: readinessOf(child, ended, options.name), ended, stop };

  async function stop(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const patience = new AbortController();
    const expired = sleep(options.stopMilliseconds, 'expired', { signal: patience.signal }).catch(
      () => 'cancelled',
    );
    if ((await Promise.race([ended, expired])) === 'expired') {
      console.error(
        `The ${options.name} did not end within ${options.stopMilliseconds / 1000} s and was killed.`,
      );
      child.kill('SIGKILL');
    }
    patience.abort();
    await ended;
  }
}

async function endOf(child: ChildProcess): Promise<string> {
  const [code, signal] = await once(child, 'exit');
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}

function readinessOf(child: ChildProcess, ended: Promise<string>, name: string): Promise<string> {
  const ready = new Promise<string>((resolve, reject) => {
    child.on('message', (message) => {
      if (isReadyMessage(message)) resolve(message.url);
    });
    void ended.then((how) =>
      reject(new LaunchError(`The ${name} did not start (${how}); its error stands above.`)),
    );
  });
  // A failed start may be noticed while something else is awaited; whoever awaits `ready` still gets it.
  ready.catch(() => {});
  return ready;
}

function isReadyMessage(message: unknown): message is { type: 'ready'; url: string } {
  return (
    typeof message === 'object' &&
    message !== null &&
    'type' in message &&
    message.type === 'ready' &&
    'url' in message &&
    typeof message.url === 'string'
  );
}
