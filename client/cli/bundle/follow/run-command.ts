import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between asking a command to end and ending it. */
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
  const ending = new AbortController();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeLimit)]);
  const stop = () => void end(child, ending.signal);
  limit.addEventListener('abort', stop, { once: true });
  try {
    const [code, killedBy] = await once(child, 'exit');
    await Promise.race([closed, sleep(LAST_WORDS, undefined, { ref: false })]);
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
    ending.abort();
    child.stderr?.destroy();
  }
}

/** Ends a command and what it has started; by force after a while. */
async function end(child: ChildProcess, ended: AbortSignal): Promise<void> {
  kill(child, 'SIGTERM');
  try {
    await sleep(GRACE, undefined, { signal: ended });
    kill(child, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined && process.platform !== 'win32') process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch {
    // Nobody is left to be told.
  }
}
