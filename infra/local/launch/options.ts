import { parseArgs } from 'node:util';

export const SERVERS = ['cosmos', 'servicebus', 'blob'] as const;
export type ServerName = (typeof SERVERS)[number];

export interface LaunchOptions {
  /** 0 means any free port. */
  readonly ports: Readonly<Record<ServerName | 'host', number>>;
  /** Relative to the working folder; absent means a temporary folder that is removed at the end. */
  readonly dataFolder: string | undefined;
  readonly without: ReadonlySet<ServerName>;
  readonly faults: boolean;
  /** How far reads weaker than Strong lag behind, in milliseconds. */
  readonly staleMs: number;
  readonly build: boolean;
}

/** A command line that cannot be understood; the message says which flag and what it takes. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The flag that sets each port, and the official emulators' own port as the default. */
export const PORT_FLAGS = {
  host: { flag: 'port', port: 7071 },
  cosmos: { flag: 'cosmos-port', port: 8081 },
  servicebus: { flag: 'servicebus-port', port: 5672 },
  blob: { flag: 'blob-port', port: 10000 },
} as const satisfies Record<ServerName | 'host', { flag: string; port: number }>;

export const USAGE = `Starts Skerry with everything it needs: npm start -- [flags]

  --port N             port of the API (7071)
  --cosmos-port N      port of the Cosmos DB emulator (8081)
  --servicebus-port N  port of the Service Bus emulator (5672)
  --blob-port N        port of Azurite Blob (10000); for all ports, 0 = any free one
  --data DIR           folder that keeps the data (.skerry)
  --ephemeral          keep the data in a temporary folder that is removed at the end
  --without SERVER     leave out cosmos, servicebus or blob, to see what fails without it (repeat, or separate by commas)
  --faults             answer fault injection requests at the Cosmos DB emulator's /_skerry/faults
  --stale MS           let reads weaker than Strong lag by so many milliseconds
  --no-build           use the functions as they were last built
  --help               show this

The settings of the app can be set in the environment, such as SKERRY_WEBHOOK_RETRY_SECONDS=1,2,4.`;

/**
 * Reads the command line of `npm start`.
 *
 * @returns the options, or 'help' when they are asked for.
 * @throws UsageError
 */
export function parseLaunchOptions(commandLine: readonly string[]): LaunchOptions | 'help' {
  const values = parseFlags(commandLine);
  if (values.help === true) return 'help';
  if (values.ephemeral === true && values.data !== undefined) {
    throw new UsageError('--ephemeral and --data contradict each other: choose one.');
  }
  return {
    ports: distinctPorts({
      host: portOf(values.port, 'host'),
      cosmos: portOf(values['cosmos-port'], 'cosmos'),
      servicebus: portOf(values['servicebus-port'], 'servicebus'),
      blob: portOf(values['blob-port'], 'blob'),
    }),
    dataFolder: values.ephemeral === true ? undefined : (values.data ?? '.skerry'),
    without: new Set((values.without ?? []).flatMap(serverNames)),
    faults: values.faults === true,
    staleMs: wholeNumber(values.stale ?? '0', '--stale', 'milliseconds from 0 to 60000', 60_000),
    build: values['no-build'] !== true,
  };
}

function parseFlags(commandLine: readonly string[]) {
  try {
    return parseArgs({
      args: [...commandLine],
      options: {
        port: { type: 'string' },
        'cosmos-port': { type: 'string' },
        'servicebus-port': { type: 'string' },
        'blob-port': { type: 'string' },
        data: { type: 'string' },
        ephemeral: { type: 'boolean' },
        without: { type: 'string', multiple: true },
        faults: { type: 'boolean' },
        stale: { type: 'string' },
        'no-build': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const [firstSentence = error.message] = error.message.split(/(?<=\.)\s/);
    throw new UsageError(firstSentence);
  }
}

function portOf(text: string | undefined, name: keyof typeof PORT_FLAGS): number {
  const { flag, port } = PORT_FLAGS[name];
  return text === undefined
    ? port
    : wholeNumber(text, `--${flag}`, 'a port from 0 to 65535 (0 = any free one)', 65_535);
}

function wholeNumber(text: string, flag: string, what: string, maximum: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > maximum) {
    throw new UsageError(`${flag} takes ${what}, not "${text}".`);
  }
  return number;
}

function distinctPorts(ports: LaunchOptions['ports']): LaunchOptions['ports'] {
  const flagOfPort = new Map<number, string>();
  for (const name of ['host', ...SERVERS] as const) {
    const { flag } = PORT_FLAGS[name];
    const other = flagOfPort.get(ports[name]);
    if (other !== undefined && ports[name] !== 0) {
      throw new UsageError(`--${other} and --${flag} are both ${ports[name]}: each needs a port of its own.`);
    }
    flagOfPort.set(ports[name], flag);
  }
  return ports;
}

function serverNames(list: string): ServerName[] {
  return list.split(',').map((name) => {
    const server = SERVERS.find((known) => known === name.trim());
    if (server === undefined) {
      throw new UsageError(`--without takes ${SERVERS.join(', ')}, not "${name.trim()}".`);
    }
    return server;
  });
}
