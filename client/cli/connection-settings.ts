import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { UsageError } from './usage-error.ts';

/** Where Skerry is, and as whom to talk to it. */
export interface ConnectionSettings {
  readonly server: string;
  readonly ns: string;
  readonly token?: string;
  /** Prints the token; only where there is no other. */
  readonly tokenCommand?: string;
}

export interface SettingsSources {
  readonly flags: {
    readonly server?: string;
    readonly ns?: string;
    readonly token?: string;
    readonly config?: string;
  };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where a `skerry.json` is looked for, and what relative paths are relative to. */
  readonly folder: string;
}

type Partly = { readonly [Name in (typeof NAMES)[number]]?: string };

const NAMES = ['server', 'ns', 'token'] as const satisfies (keyof ConnectionSettings)[];
const VARIABLES = { server: 'SKERRY_URL', ns: 'SKERRY_NS', token: 'SKERRY_TOKEN' } as const;
/** In the environment alone: a file that stands in some folder has nothing to run. */
const TOKEN_COMMAND = 'SKERRY_TOKEN_COMMAND';
const DEFAULTS = { server: 'http://127.0.0.1:7071', ns: 'default' } as const;

/**
 * Flags win over the environment, the environment over the configuration file, that over the defaults. One file is read: the
 * one that is named, else `skerry.json` in the folder, else the user's own. They are not mixed, so that the token of the user's own
 * file never goes to a server that some folder names.
 *
 * @throws UsageError
 */
export function resolveSettings({ flags, env, folder }: SettingsSources): ConnectionSettings {
  const file = readSettingsFile({ named: flags.config, env, folder });
  const chosen: Partial<Record<(typeof NAMES)[number], string>> = { ...DEFAULTS };
  for (const name of NAMES) {
    // An empty variable counts as none, as it does for most programs.
    const value = flags[name] ?? (env[VARIABLES[name]] || undefined) ?? file[name];
    if (value !== undefined) chosen[name] = value;
  }
  const { server = DEFAULTS.server, ns = DEFAULTS.ns, token } = chosen;
  checkServer(server);
  const tokenCommand = env[TOKEN_COMMAND];
  if (tokenCommand && flags.token === undefined && !env[VARIABLES.token]) return { server, ns, tokenCommand };
  return { server, ns, ...(token !== undefined && { token }) };
}

function readSettingsFile(sources: {
  named: string | undefined;
  env: SettingsSources['env'];
  folder: string;
}): Partly {
  const { named, env, folder } = sources;
  if (named !== undefined) {
    const file = path.resolve(folder, named);
    const text = readIfThere(file);
    if (text === undefined) throw new UsageError(`--config: there is no file ${file}.`);
    return parseSettings(file, text);
  }
  const ownFolder = env.XDG_CONFIG_HOME || path.join(env.HOME || homedir(), '.config');
  for (const file of [path.join(folder, 'skerry.json'), path.join(ownFolder, 'skerry', 'config.json')]) {
    const text = readIfThere(file);
    if (text !== undefined) return parseSettings(file, text);
  }
  return {};
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : error}.`);
  }
}

function parseSettings(file: string, text: string): Partly {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    // The message of the parser quotes the text, which may hold a token.
    if (error instanceof SyntaxError) throw new UsageError(`${file} is not JSON.`);
    throw error;
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UsageError(`${file} must hold an object with "server", "ns" or "token".`);
  }
  const entries = Object.entries(content);
  for (const [name, value] of entries) {
    if (!NAMES.some((known) => known === name)) {
      throw new UsageError(`${file} holds "${name}"; it may hold "server", "ns" and "token".`);
    }
    if (typeof value !== 'string' || value === '') throw new UsageError(`${file}: "${name}" must be a text.`);
  }
  return Object.fromEntries(entries);
}

function checkServer(server: string): void {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new UsageError(`The server must be a URL such as ${DEFAULTS.server}, not "${server}".`);
  }
  // A password in a URL would be shown wherever the URL is.
  if (url.username !== '' || url.password !== '') {
    throw new UsageError('The server must be named without a user or password; use a token.');
  }
}
