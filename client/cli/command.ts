import type { SkerryClient } from '../index.ts';
import type { ConnectionSettings } from './connection-settings.ts';
import type { Output } from './output.ts';

/** A flag that a command takes; without a placeholder it takes no value. Its name is written in kebab case on the command line. */
export interface Flag {
  readonly summary: string;
  /** Stands for the value in the help: `SECONDS`. */
  readonly placeholder?: string;
  /** The value is a whole number, 0 or more. */
  readonly isNumber?: true;
  readonly isRepeatable?: true;
  readonly choices?: readonly string[];
}

export type Flags = Readonly<Record<string, Flag>>;

type ScalarOf<F extends Flag> = F extends { isNumber: true }
  ? number
  : F extends { choices: readonly (infer Choice)[] }
    ? Choice
    : string;

type ValueOf<F extends Flag> = F extends { placeholder: string }
  ? F extends { isRepeatable: true }
    ? readonly ScalarOf<F>[]
    : ScalarOf<F>
  : true;

/** Absent where the flag was not given. */
export type FlagValues<F extends Flags> = { readonly [Name in keyof F]?: ValueOf<F[Name]> };

/** `<name>` is required, `[name]` is not, `<name...>` is one or more. */
type ArgumentName<Spelling extends string> = Spelling extends `${'<' | '['}${infer Name}...${'>' | ']'}`
  ? Name
  : Spelling extends `${'<' | '['}${infer Name}${'>' | ']'}`
    ? Name
    : never;

export type ArgumentValues<Spellings extends readonly string[]> = {
  readonly [Spelling in Spellings[number] as ArgumentName<Spelling>]: Spelling extends `${string}...${string}`
    ? readonly string[]
    : Spelling extends `[${string}`
      ? string | undefined
      : string;
};

/** What a command works with besides its command line. */
export interface Context {
  readonly client: SkerryClient;
  /** Where the client goes, and as whom. */
  readonly settings: ConnectionSettings;
  /** A client for another server, or as somebody else. */
  connect(settings: Omit<ConnectionSettings, 'ns'>): SkerryClient;
  readonly output: Output;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** What relative paths are relative to. */
  readonly folder: string;
  /** @returns everything that is piped into the command. */
  readInput(): Promise<Buffer>;
}

export interface Call<Spellings extends readonly string[], F extends Flags> extends Context {
  readonly args: ArgumentValues<Spellings>;
  readonly flags: FlagValues<F>;
}

interface Definition<Spellings extends readonly string[], F extends Flags> {
  /** One or two words: `watch`, `kv get`. */
  readonly name: string;
  readonly summary: string;
  /** What a user should know beyond the flags, in a paragraph. */
  readonly notes?: string;
  readonly args: Spellings;
  readonly flags: F;
  readonly examples: readonly string[];
  /** @returns the exit code where it is not 0. */
  run(call: Call<Spellings, F>): Promise<number | undefined>;
}

/** A command whose arguments and flags are known only at run time. */
export type Command = Omit<Definition<readonly string[], Flags>, 'run'> & {
  run(call: Call<readonly string[], Flags>): Promise<number | undefined>;
};

/** Declares a command; its arguments and flags are typed by their declarations. */
export function defineCommand<const Spellings extends readonly string[], const F extends Flags>(
  definition: Definition<Spellings, F>,
): Command {
  // The frame builds the values from these very declarations.
  return definition as unknown as Command;
}
