import { Argument, InvalidArgumentError, Option, Command as Parser } from 'commander';
import type { Command, Flag } from './command.ts';
import { parseWholeNumber } from './whole-number.ts';

/** What every command takes. */
export const GLOBAL_FLAGS = {
  server: { placeholder: 'URL', summary: 'where Skerry answers (SKERRY_URL, else http://127.0.0.1:7071)' },
  ns: { placeholder: 'NAME', summary: 'namespace (SKERRY_NS, else "default")' },
  token: {
    placeholder: 'TOKEN',
    summary: 'access token; others on the machine can read it here, so better set SKERRY_TOKEN',
  },
  config: {
    placeholder: 'FILE',
    summary: 'JSON file with "server", "ns", "token" (./skerry.json, else ~/.config/skerry/config.json)',
  },
  timeout: {
    placeholder: 'SECONDS',
    isNumber: true,
    summary: 'give up after so long without an answer (10)',
  },
  json: { summary: 'print JSON: one document, or one line for each event' },
} as const satisfies Readonly<Record<string, Flag>>;

export interface Program {
  readonly commands: readonly Command[];
  /** What --version tells; absent where that is left to the command that is named. */
  readonly version: string | undefined;
  readonly writeOut: (text: string) => void;
  /** Told the help where a command line names no command. */
  readonly writeHelpInstead: (text: string) => void;
  readonly run: (
    command: Command,
    args: Record<string, unknown>,
    flags: Record<string, unknown>,
  ) => Promise<void>;
}

/**
 * The parser of the whole command line, made from the table of commands: one level of groups (`kv get`).
 * Its `parseAsync` throws CommanderError for what it does not understand, and for help and version, which it has printed then.
 */
export function buildProgram({ commands, version, writeOut, writeHelpInstead, run }: Program): Parser {
  const program = new Parser('skerry')
    .description('Talks to Skerry: configuration, services, keys and what changes in them.')
    .usage(USAGE_OF_SEVERAL)
    .exitOverride()
    .configureOutput({
      writeOut,
      writeErr: writeHelpInstead,
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
      // Whoever catches what it throws tells the user.
      outputError: () => {},
    })
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) => `${command.name()} ${command.usage()}`,
      styleTitle: (title) =>
        title.replace('Global Options', 'Flags of all commands').replace('Options', 'Flags'),
    })
    .helpOption('--help', 'show this')
    .helpCommand(false);
  if (version !== undefined) program.version(version, '--version', 'print the version');
  addFlags(program, GLOBAL_FLAGS);

  for (const command of commands) {
    const words = command.name.split(' ');
    const name = words.pop() ?? '';
    const parser = words.reduce(groupOf, program).command(name).summary(command.summary);
    parser.description([`${command.summary}.`, command.notes ?? []].flat().join('\n\n'));
    parser.usage([...command.args, '[flags]'].join(' '));
    for (const spelling of command.args) parser.addArgument(new Argument(spelling));
    addFlags(parser, command.flags);
    parser.addHelpText('after', `\nExamples:\n${command.examples.map((line) => `  ${line}`).join('\n')}`);
    parser.action(() => run(command, argumentsOf(parser), parser.optsWithGlobals()));
  }
  return program;
}

const USAGE_OF_SEVERAL = '<command> [arguments] [flags]';

const GROUPS: Readonly<Record<string, string>> = {
  kv: 'Keys and values of a store',
  app: 'Configuration of applications',
  service: 'Services and their instances',
  bundle: 'Versions of sets of files',
  template: 'What environments are made from',
  env: 'Environments',
  op: 'Operations, which commands become',
  election: 'Leaders',
  webhooks: 'Endpoints that are told of changes',
  'dead-letters': 'What could not be delivered',
  token: 'Tokens, by which callers are let in',
  role: 'Roles: what callers may do',
};

function groupOf(parent: Parser, name: string): Parser {
  const existing = parent.commands.find((command) => command.name() === name);
  if (existing !== undefined) return existing;
  return parent
    .command(name)
    .description(GROUPS[name] ?? name)
    .usage(USAGE_OF_SEVERAL)
    .helpCommand(false);
}

function addFlags(parser: Parser, flags: Readonly<Record<string, Flag>>): void {
  for (const [name, flag] of Object.entries(flags)) {
    const spelling = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const option = new Option(
      flag.placeholder === undefined ? spelling : `${spelling} <${flag.placeholder}>`,
      flag.isRepeatable ? `${flag.summary} (repeatable)` : flag.summary,
    );
    if (flag.choices !== undefined) option.choices(flag.choices);
    if (flag.placeholder !== undefined) {
      option.argParser((text: string, earlier: unknown) => {
        const value = flag.isNumber ? wholeNumber(text) : oneOf(text, flag.choices);
        return flag.isRepeatable ? [...(Array.isArray(earlier) ? earlier : []), value] : value;
      });
    }
    parser.addOption(option);
  }
}

function argumentsOf(parser: Parser): Record<string, unknown> {
  return Object.fromEntries(
    parser.registeredArguments.map((argument, index) => [argument.name(), parser.processedArgs[index]]),
  );
}

function wholeNumber(text: string): number {
  const number = parseWholeNumber(text);
  if (number === undefined) throw new InvalidArgumentError('It takes a whole number, 0 or more.');
  return number;
}

function oneOf(text: string, choices: readonly string[] | undefined): string {
  if (choices !== undefined && !choices.includes(text)) {
    throw new InvalidArgumentError(`It takes one of ${choices.join(', ')}.`);
  }
  return text;
}
