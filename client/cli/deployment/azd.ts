import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** Milliseconds between asking it to end and ending it: it tells Azure, and what it waits for. */
const GRACE = 30_000;

/** A file descriptor: standard output holds results and nothing else. */
const STANDARD_ERROR = 2;

const NOT_INSTALLED =
  'The Azure Developer CLI is not installed: there is no "azd" on the PATH. https://aka.ms/azd-install says how it is.';

export interface AzdOptions {
  /** The folder that holds azure.yaml. */
  readonly folder: string;
  /** Whether somebody is there to answer its questions. */
  readonly isInteractive: boolean;
  readonly signal: AbortSignal;
}

/** The Azure Developer CLI, in one of its environments. What it says goes to standard error. */
export class Azd {
  readonly #environment: string;
  readonly #options: AzdOptions;

  constructor(environment: string, options: AzdOptions) {
    this.#environment = environment;
    this.#options = options;
  }

  /** What the environment holds; undefined where there is none. */
  async values(): Promise<Readonly<Record<string, string>> | undefined> {
    const { code, out } = await this.#run(this.#within('env', 'get-values', '--output', 'json'), 'pipe');
    if (code !== 0) return undefined;
    try {
      return JSON.parse(out) as Record<string, string>;
    } catch {
      throw new Error('What "azd env get-values --output json" says is no JSON: is azd of a recent version?');
    }
  }

  /** Begins the environment. */
  async create(location: string, subscription: string | undefined): Promise<void> {
    const account = subscription === undefined ? [] : ['--subscription', subscription];
    await this.#succeed(['env', 'new', this.#environment, '--location', location, ...account]);
  }

  async set(name: string, value: string): Promise<void> {
    await this.#succeed(this.#within('env', 'set', name, value));
  }

  /** Makes what is declared, and puts the app there. */
  async up(): Promise<void> {
    await this.#succeed(this.#within('up'));
  }

  #within(...words: readonly string[]): readonly string[] {
    return [...words, '--environment', this.#environment];
  }

  /** @throws Error where azd ends otherwise than with 0; the reason of the signal once it has ended. */
  async #succeed(words: readonly string[]): Promise<void> {
    const { code } = await this.#run(words, STANDARD_ERROR);
    if (code === 0) return;
    throw new Error(
      `"azd ${words.join(' ')}" failed (${code}); what it said stands above. Nothing is recorded: mend it, and run the same command again.`,
    );
  }

  async #run(
    words: readonly string[],
    out: 'pipe' | typeof STANDARD_ERROR,
  ): Promise<{ readonly code: number | string; readonly out: string }> {
    const { folder, isInteractive, signal } = this.#options;
    signal.throwIfAborted();
    const child = spawn('azd', isInteractive ? words : [...words, '--no-prompt'], {
      cwd: folder,
      stdio: [isInteractive ? 'inherit' : 'ignore', out, out === 'pipe' ? 'ignore' : out],
      // Where it asks, the terminal has to be its own too, and Ctrl-C reaches it there.
      detached: !isInteractive && process.platform !== 'win32',
    });
    const stop = () => end(child, !isInteractive);
    signal.addEventListener('abort', stop, { once: true });
    try {
      const [written, [code, killedBy]] = await Promise.all([
        child.stdout === null ? '' : text(child.stdout),
        once(child, 'close'),
      ]);
      signal.throwIfAborted();
      return { code: code ?? killedBy, out: written };
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      throw isMissing ? new Error(NOT_INSTALLED) : error;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}

function end(child: ChildProcess, isLeader: boolean): void {
  if (isLeader) kill(child, 'SIGINT', isLeader);
  const force = setTimeout(() => kill(child, 'SIGKILL', isLeader), GRACE);
  child.once('exit', () => clearTimeout(force));
}

function kill(child: ChildProcess, signal: NodeJS.Signals, isLeader: boolean): void {
  if (child.pid === undefined || !isLeader || process.platform === 'win32') {
    child.kill(signal);
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
