import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const GRACE = 5_000;
/** Milliseconds for what it has written to arrive after its end: something that it has started may hold its output open. */
const LAST_WORDS = 200;
/** Characters of what it wrote that are told. */
const TAIL = 600;

export interface CommandRun {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  /** The folder that it runs in. */
  readonly folder: string;
  /** Milliseconds. */
  readonly timeLimit: number;
  /** Milliseconds between asking it to end and ending it. */
  readonly grace?: number;
  /** The file descriptor that its output goes to. */
  readonly out: number;
  readonly signal: AbortSignal;
}

/**
 * Runs a command of the shell, whose output passes through.
 *
 * @returns why it failed, with the end of what it wrote to standard error; undefined where it ended with 0.
 * @throws the reason of the signal, once the command and whatever it started have ended.
 */
export async function runCommand({
  command,
  env,
  folder,
  timeLimit,
  grace = GRACE,
  out,
  signal,
}: CommandRun): Promise<string | undefined> {
  signal.throwIfAborted();
  const child = spawn(command, {
    shell: true,
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', out, 'pipe'],
    // A process group of its own, which ends as a whole.
    detached: process.platform !== 'win32',
  });
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    process.stderr.write(text);
    tail = (tail + text).slice(-TAIL);
  });
  const closed = once(child, 'close');
  closed.catch(() => {});
  let ending: Promise<void> | undefined;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeLimit)]);
  const stop = () => {
    ending = end(child, grace);
  };
  limit.addEventListener('abort', stop, { once: true });
  try {
    const [code, killedBy] = await once(child, 'exit');
    await Promise.race([closed, sleep(LAST_WORDS, undefined, { ref: false })]);
    // The shell may end before what it has started.
    await ending;
    signal.throwIfAborted();
    if (code === 0) return undefined;
    const how = limit.aborted
      ? `it took longer than ${timeLimit / 1000} s`
      : killedBy === null
        ? `exit code ${code}`
        : `ended by ${killedBy}`;
    return [how, tail.trim()].filter((part) => part !== '').join(': ');
  } finally {
    limit.removeEventListener('abort', stop);
    child.stderr?.destroy();
  }
}

/** Ends a command and what it has started; by force after a while. */
async function end(child: ChildProcess, grace: number): Promise<void> {
  const forcedAt = performance.now() + grace;
  kill(child, 'SIGTERM');
  while (performance.now() < forcedAt) {
    await sleep(20);
    if (!kill(child, 0)) return;
  }
  kill(child, 'SIGKILL');
}

/** @returns whether there was anybody to be told. */
function kill(child: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (child.pid === undefined || process.platform === 'win32') return child.kill(signal);
  try {
    return process.kill(-child.pid, signal);
  } catch {
    return false;
  }
}
