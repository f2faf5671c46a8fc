import type { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { CommanderError } from 'commander';
import packageFacts from '../../package.json' with { type: 'json' };
import { SkerryClient } from '../skerry-client.ts';
import { tokensOfCommand } from './access/token-command.ts';
import { buildProgram } from './build-program.ts';
import type { ArgumentValues, Command, Context, Flags, FlagValues } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import { resolveSettings } from './connection-settings.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { createOutput } from './output.ts';
import { failureAsJson, failureAsText } from './show-failure.ts';
import { UsageError } from './usage-error.ts';

const DEFAULT_TIMEOUT_SECONDS = 10;

/** What a process has that runs a command line. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  readonly input: Readable;
  readonly out: Writable;
  readonly err: Writable;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

interface GlobalValues {
  readonly server?: string;
  readonly ns?: string;
  readonly token?: string;
  readonly config?: string;
  readonly timeout?: number;
  readonly json?: true;
}

/**
 * Runs a command line, such as `['kv', 'get', 'agent1', 'mtu']`. Failures are shown, not thrown.
 *
 * @returns the exit code; see `exit-code.ts`.
 */
export async function runCommandLine(
  words: readonly string[],
  surroundings: Surroundings,
  commands: readonly Command[] = COMMANDS,
): Promise<number> {
  const { out, err, signal } = surroundings;
  const isJson = words.includes('--json');
  let exitCode: number = EXIT.ok;
  const program = buildProgram({
    commands,
    // The parser would take the flag of a command for its own.
    version: commands.some(({ name }) => words.includes(name.replace(/ .*/, '')))
      ? undefined
      : packageFacts.version,
    writeOut: (text) => out.write(text),
    writeHelpInstead: (text) => err.write(text),
    async run(command, args, flags) {
      exitCode = (await runCommand(command, args, flags, surroundings)) ?? EXIT.ok;
    },
  });
  try {
    await program.parseAsync(words, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    // No command was named, and the help that says which there are stands there already.
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage;
    if (signal.aborted) return EXIT.interrupted;
    const failure = error instanceof CommanderError ? new UsageError(saidBy(error)) : error;
    const shown = isJson
      ? JSON.stringify(failureAsJson(failure), null, 2)
      : `skerry: ${failureAsText(failure)}`;
    err.write(`${shown}\n`);
    return failure instanceof UsageError ? EXIT.usage : exitCodeOf(failure);
  }
}

/** The parser's words, in the manner of ours. */
function saidBy({ message }: CommanderError): string {
  return message.replace(/^error: /, '').replaceAll("'", '"');
}

async function runCommand(
  command: Command,
  args: Record<string, unknown>,
  flags: Record<string, unknown>,
  { env, folder, input, out, err, signal }: Surroundings,
): Promise<number | undefined> {
  const global = flags as GlobalValues;
  const settings = resolveSettings({ flags: global, env, folder });
  const timeout = (global.timeout ?? DEFAULT_TIMEOUT_SECONDS) * 1000;
  const connect: Context['connect'] = ({ server, token, tokenCommand }) =>
    new SkerryClient({
      url: server,
      ns: settings.ns,
      token: tokenCommand === undefined ? token : tokensOfCommand(tokenCommand, { signal }),
      timeout,
      attemptTimeout: timeout,
    });
  return await command.run({
    // The parser made both from the declarations of the command.
    args: args as ArgumentValues<readonly string[]>,
    flags: ownFlags(command, flags) as FlagValues<Flags>,
    client: connect(settings),
    settings,
    connect,
    output: createOutput({ isJson: global.json === true, out, err }),
    signal,
    folder,
    readInput: () => buffer(input),
  });
}

/** A command hands its flags on, as filters to Skerry: those of all commands, the token among them, must not be in there. */
function ownFlags({ flags: declared }: Command, flags: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => Object.hasOwn(declared, name)));
}
