import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { runCommandLine } from '../../client/cli/run-command-line.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../../client/cli/skerry.mjs');
const END_MILLISECONDS = 60_000;

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Standard output as JSON; undefined where it is none. */
  readonly json: unknown;
}

/** A command that runs. */
export interface Running {
  readonly process: ChildProcess;
  /** The lines of standard output so far, as JSON. */
  events(): readonly unknown[];
  /** What it has written to standard output so far. */
  output(): string;
  /** What it has written to standard error so far. */
  errors(): string;
  ended(): Promise<Ended>;
}

export interface CommandOptions {
  readonly url: string;
  readonly ns?: string | undefined;
  /** The folder that it runs in. */
  readonly folder: string;
  readonly input?: string;
  /** Further variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the built command `skerry` as a process of its own, away from any configuration of whoever runs the tests. */
export function startCommand(
  words: readonly string[],
  { url, ns, folder, input, env }: CommandOptions,
): Running {
  const child = spawn(process.execPath, [PROGRAM, ...words], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...environmentOf({ url, ns, folder }), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const closed = once(child, 'close');
  child.stdin.on('error', () => {}).end(input);
  return {
    process: child,
    output: () => out,
    errors: () => err,
    events: () =>
      out
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    async ended() {
      const patience = setTimeout(() => child.kill('SIGKILL'), END_MILLISECONDS);
      await closed;
      clearTimeout(patience);
      return { code: child.exitCode, out, err, json: parse(out) };
    },
  };
}

/** Runs the command in this process, which spares its start: it must end by itself. */
export async function runInProcess(
  words: readonly string[],
  { url, ns, folder, input, env }: CommandOptions,
): Promise<Ended> {
  const out = new PassThrough();
  const err = new PassThrough();
  const code = await runCommandLine(words, {
    env: { ...environmentOf({ url, ns, folder }), ...env },
    folder,
    input: Readable.from(input === undefined ? [] : [input]),
    out,
    err,
    signal: new AbortController().signal,
  });
  out.end();
  err.end();
  const written = await text(out);
  return { code, out: written, err: await text(err), json: parse(written) };
}

function environmentOf({ url, ns, folder }: CommandOptions): Record<string, string> {
  return { HOME: folder, SKERRY_URL: url, ...(ns !== undefined && { SKERRY_NS: ns }) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
