import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { type BusSubscription, parseBusSubscription } from './bus-subscription.ts';

export const SERVERS = ['cosmos', 'servicebus', 'blob'] as const;
export type ServerName = (typeof SERVERS)[number];

/** Which servers run, and how. */
export interface ServerOptions {
  /** 0 means any free port. */
  readonly ports: Readonly<Record<ServerName, number>>;
  /** Those that run; the others keep their addresses, at which nothing answers. */
  readonly servers: ReadonlySet<ServerName>;
  /** Relative to the working folder; absent means a temporary folder that is removed at the end. */
  readonly dataFolder: string | undefined;
  readonly faults: boolean;
  /** How far reads weaker than Strong lag behind, in milliseconds. */
  readonly staleMs: number;
  /** Physical partitions of each Cosmos DB container that is created. */
  readonly partitions: number;
  /** False: once Skerry's own are there, databases and containers can be neither created nor deleted. */
  readonly controlPlane: boolean;
  /** True: blobs of bundles can be neither changed nor, for a day, deleted. */
  readonly writeOnce: boolean;
  /** Who receives what is told on the bus. */
  readonly busSubscriptions: readonly BusSubscription[];
  /** A file in the form of the official emulator's Config.json; absent means Skerry's own entities. */
  readonly serviceBusConfig: string | undefined;
}

/** `npm start`: the servers, and the functions on them. */
export interface LaunchOptions extends ServerOptions {
  readonly ports: Readonly<Record<ServerName | 'host', number>>;
  /** Processes that run the functions; absent leaves it to the host. */
  readonly workers: number | undefined;
  /** Lets the host spring the traps of Azure that it is otherwise kind about. */
  readonly strict: boolean;
  /** Callers have to say who they are, as in Azure. */
  readonly auth: boolean;
  /** The functions reach the servers as a managed identity does in Azure, and know no keys. */
  readonly managedIdentity: boolean;
  readonly build: boolean;
}

/** `npm run start:func`: the same, but Core Tools run the functions. */
export type FuncOptions = Omit<LaunchOptions, 'workers' | 'strict' | 'auth' | 'managedIdentity'>;

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

const MOST_WORKERS = 10;
const MOST_PARTITIONS = 64;
const LONGEST_STALENESS = 60_000;

const SERVER_FLAGS = {
  'cosmos-port': { type: 'string' },
  'servicebus-port': { type: 'string' },
  'blob-port': { type: 'string' },
  data: { type: 'string' },
  ephemeral: { type: 'boolean' },
  faults: { type: 'boolean' },
  stale: { type: 'string' },
  partitions: { type: 'string' },
  'no-control-plane': { type: 'boolean' },
  'write-once': { type: 'boolean' },
  'bus-subscription': { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

const SERVER_USAGE = `  --cosmos-port N      port of the Cosmos DB emulator (8081)
  --servicebus-port N  port of the Service Bus emulator (5672)
  --blob-port N        port of Azurite Blob (10000); for all ports, 0 = any free one
  --data DIR           folder that keeps the data (.skerry)
  --ephemeral          keep the data in a temporary folder that is removed at the end
  --bus-subscription NAME[:sessions][=FILTER]
                       subscribe to the notifications on the bus, by an SQL filter if one is given (repeat for several)
  --faults             answer fault injection requests at the emulators' /_skerry/faults
  --stale MS           let reads weaker than Strong lag by so many milliseconds
  --partitions N       spread new Cosmos DB containers over so many physical partitions (1)
  --no-control-plane   refuse to create or delete databases and containers, as data-plane roles do in Azure
  --write-once         refuse to change or delete blobs of bundles, as a retention policy of a day does in Azure`;

export const START_USAGE = `Starts Skerry with everything it needs: npm start -- [flags]

  --port N             port of the API (7071)
  --auth               let in only callers with a token, as in Azure; prints one that may do everything
${SERVER_USAGE}
  --without SERVER     leave out cosmos, servicebus or blob, to see what fails without it (repeat, or separate by commas)
  --workers N          run the functions in so many processes (1)
  --managed-identity   have the functions reach the servers by tokens of an identity, as in Azure, and tell them no keys
  --strict             spring the traps of Azure that the host is otherwise kind about; two workers unless told
  --no-build           use the functions as they were last built
  --help               show this

The settings of the app can be set in the environment, such as SKERRY_WEBHOOK_RETRY_SECONDS=1,2,4.`;

export const CLOUD_USAGE = `Starts the servers without the functions: npm run cloud -- [flags]
Prints one connection string a line for each, in the order cosmos, servicebus, blob.

${SERVER_USAGE}
  --only SERVER        start only cosmos, servicebus or blob (repeat, or separate by commas)
  --servicebus-config FILE
                       the queues and topics, in the form of the official emulator's Config.json (Skerry's own)
  --help               show this`;

export const FUNC_USAGE = `Starts the servers, and the functions on them with Azure Functions Core Tools: npm run start:func -- [flags]

  --port N             port of the API (7071)
${SERVER_USAGE}
  --no-build           use the functions as they were last built
  --help               show this`;

/**
 * Reads the command line of `npm start`.
 *
 * @returns the options, or 'help' when they are asked for.
 * @throws UsageError
 */
export function parseLaunchOptions(commandLine: readonly string[]): LaunchOptions | 'help' {
  const values = parseFlags(commandLine, {
    ...SERVER_FLAGS,
    port: { type: 'string' },
    without: { type: 'string', multiple: true },
    workers: { type: 'string' },
    strict: { type: 'boolean' },
    auth: { type: 'boolean' },
    'managed-identity': { type: 'boolean' },
    'no-build': { type: 'boolean' },
  });
  if (values.help === true) return 'help';
  const without = serverNames(values.without ?? [], '--without');
  const server = serverOptions(values);
  const { workers } = values;
  return {
    ...server,
    ports: distinctPorts({ host: portOf(values.port, 'host'), ...server.ports }),
    servers: new Set(SERVERS.filter((name) => !without.has(name))),
    workers:
      workers === undefined ? undefined : wholeNumber(workers, '--workers', 'processes', 1, MOST_WORKERS),
    strict: values.strict === true,
    auth: values.auth === true,
    managedIdentity: isManagedIdentity(values),
    build: values['no-build'] !== true,
  };
}

/** Reads the command line of `npm run cloud`, as {@link parseLaunchOptions} does. */
export function parseCloudOptions(commandLine: readonly string[]): ServerOptions | 'help' {
  const values = parseFlags(commandLine, {
    ...SERVER_FLAGS,
    only: { type: 'string', multiple: true },
    'servicebus-config': { type: 'string' },
  });
  if (values.help === true) return 'help';
  const server = serverOptions(values);
  if (values['servicebus-config'] !== undefined && server.busSubscriptions.length > 0) {
    throw new UsageError('--servicebus-config and --bus-subscription contradict each other: choose one.');
  }
  return {
    ...server,
    ports: distinctPorts(server.ports),
    servers: serverNames(values.only ?? SERVERS, '--only'),
    serviceBusConfig: values['servicebus-config'],
  };
}

/** Reads the command line of `npm run start:func`, as {@link parseLaunchOptions} does. */
export function parseFuncOptions(commandLine: readonly string[]): FuncOptions | 'help' {
  const values = parseFlags(commandLine, {
    ...SERVER_FLAGS,
    port: { type: 'string' },
    'no-build': { type: 'boolean' },
  });
  if (values.help === true) return 'help';
  const server = serverOptions(values);
  return {
    ...server,
    ports: distinctPorts({ host: portOf(values.port, 'host'), ...server.ports }),
    build: values['no-build'] !== true,
  };
}

function parseFlags<const Flags extends ParseArgsOptionsConfig>(
  commandLine: readonly string[],
  options: Flags,
) {
  try {
    return parseArgs({ args: [...commandLine], options }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const [firstSentence = error.message] = error.message.split(/(?<=\.)\s/);
    throw new UsageError(firstSentence);
  }
}

type ServerValues = ReturnType<typeof parseFlags<typeof SERVER_FLAGS>>;

function serverOptions(values: ServerValues): ServerOptions {
  if (values.ephemeral === true && values.data !== undefined) {
    throw new UsageError('--ephemeral and --data contradict each other: choose one.');
  }
  return {
    ports: {
      cosmos: portOf(values['cosmos-port'], 'cosmos'),
      servicebus: portOf(values['servicebus-port'], 'servicebus'),
      blob: portOf(values['blob-port'], 'blob'),
    },
    servers: new Set(SERVERS),
    dataFolder: values.ephemeral === true ? undefined : (values.data ?? '.skerry'),
    faults: values.faults === true,
    staleMs: wholeNumber(values.stale ?? '0', '--stale', 'milliseconds', 0, LONGEST_STALENESS),
    partitions: wholeNumber(values.partitions ?? '1', '--partitions', 'partitions', 1, MOST_PARTITIONS),
    controlPlane: values['no-control-plane'] !== true,
    writeOnce: values['write-once'] === true,
    busSubscriptions: (values['bus-subscription'] ?? []).map(busSubscription),
    serviceBusConfig: undefined,
  };
}

function isManagedIdentity(values: { 'managed-identity'?: boolean; 'write-once'?: boolean }): boolean {
  if (values['managed-identity'] === true && values['write-once'] === true) {
    throw new UsageError('--managed-identity and --write-once contradict each other: choose one.');
  }
  return values['managed-identity'] === true;
}

function busSubscription(text: string): BusSubscription {
  const subscription = parseBusSubscription(text);
  if (subscription === undefined) {
    throw new UsageError(
      `--bus-subscription takes NAME, NAME=FILTER or NAME:sessions=FILTER, such as "orders=kind = 'kv'", not "${text}".`,
    );
  }
  return subscription;
}

function portOf(text: string | undefined, name: keyof typeof PORT_FLAGS): number {
  const { flag, port } = PORT_FLAGS[name];
  if (text === undefined) return port;
  return wholeNumber(text, `--${flag}`, 'a port (0 = any free one)', 0, 65_535);
}

function wholeNumber(text: string, flag: string, what: string, least: number, most: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least || number > most) {
    throw new UsageError(`${flag} takes ${what} from ${least} to ${most}, not "${text}".`);
  }
  return number;
}

function distinctPorts<Name extends keyof typeof PORT_FLAGS>(
  ports: Readonly<Record<Name, number>>,
): Readonly<Record<Name, number>> {
  const flagOfPort = new Map<number, string>();
  for (const name of Object.keys(ports) as Name[]) {
    const { flag } = PORT_FLAGS[name];
    const other = flagOfPort.get(ports[name]);
    if (other !== undefined && ports[name] !== 0) {
      throw new UsageError(`--${other} and --${flag} are both ${ports[name]}: each needs a port of its own.`);
    }
    flagOfPort.set(ports[name], flag);
  }
  return ports;
}

function serverNames(lists: readonly string[], flag: string): Set<ServerName> {
  const names = lists.flatMap((list) => list.split(',')).map((name) => name.trim());
  return new Set(
    names.map((name) => {
      const server = SERVERS.find((known) => known === name);
      if (server === undefined) throw new UsageError(`${flag} takes ${SERVERS.join(', ')}, not "${name}".`);
      return server;
    }),
  );
}
