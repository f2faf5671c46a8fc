import { createHmac, randomUUID } from 'node:crypto';
import {
  type Container,
  type ContainerRequest,
  CosmosClient,
  type CosmosClientOptions,
  type Database,
  type JSONObject,
} from '@azure/cosmos';
import {
  type CosmosServer,
  type CosmosServerOptions,
  startCosmosServer,
} from '../../../infra/local/cosmos/server.ts';

const REAL_ACCOUNT = process.env.COSMOS_CONNECTION_STRING;

/** False when the suite runs against a real account: what only the emulator can do is skipped then. */
export const isEmulator = REAL_ACCOUNT === undefined;

export interface TestAccount {
  readonly connectionString: string;
  readonly client: CosmosClient;
  /** A database of this test file alone. */
  readonly database: Database;
  /** Undefined against a real account. */
  readonly server: CosmosServer | undefined;
  /** A new container, partitioned by `/scope` unless told otherwise. */
  container(definition?: ContainerRequest): Promise<Container>;
  /** Another client, as another process would have it. */
  connect(options?: Partial<CosmosClientOptions>): CosmosClient;
  close(): Promise<void>;
}

/** Opens the account that the suite runs against: a fresh emulator, or the one of COSMOS_CONNECTION_STRING. */
export async function openAccount(options: Partial<CosmosServerOptions> = {}): Promise<TestAccount> {
  const partitions = testPartitions();
  const server =
    REAL_ACCOUNT === undefined ? await startCosmosServer({ port: 0, partitions, ...options }) : undefined;
  const connectionString = REAL_ACCOUNT ?? server?.connectionString ?? '';
  const clients: CosmosClient[] = [];
  const connect = (clientOptions: Partial<CosmosClientOptions> = {}) => {
    const { endpoint, key } = parse(connectionString);
    const client = new CosmosClient({ endpoint, key, ...clientOptions });
    clients.push(client);
    return client;
  };
  const client = connect();
  const { database } = await client.databases.create({ id: `test-${randomUUID()}` });
  return {
    connectionString,
    client,
    database,
    server,
    connect,
    async container(definition = {}) {
      const { container } = await database.containers.create({
        id: `c-${randomUUID()}`,
        partitionKey: { paths: ['/scope'] },
        ...definition,
      });
      return container;
    },
    async close() {
      if (server === undefined) await database.delete();
      for (const each of clients) each.dispose();
      await server?.stop();
    },
  };
}

/** Physical partitions of the containers of the emulators that tests start; `four-partitions.test.ts` sets it. */
export function testPartitions(): number {
  return Number(process.env.COSMOS_TEST_PARTITIONS ?? 1);
}

/** Only these paths are indexed, as Skerry's own containers declare it. */
export function indexOnly(...paths: string[]): NonNullable<ContainerRequest['indexingPolicy']> {
  return { includedPaths: paths.map((path) => ({ path })), excludedPaths: [{ path: '/*' }] };
}

/** The status of what a call is refused with. */
export async function refusal(
  call: () => Promise<unknown>,
): Promise<{ code: unknown; substatus: unknown; message: string }> {
  try {
    await call();
  } catch (error) {
    const { code, substatus, message, cause } = error as Error & { code?: unknown; substatus?: unknown };
    const origin = (code === undefined ? cause : undefined) as typeof error | undefined;
    return {
      code: code ?? Reflect.get(Object(origin), 'code'),
      substatus: substatus ?? Reflect.get(Object(origin), 'substatus'),
      message,
    };
  }
  throw new Error('The call was not refused.');
}

export interface RawRequest {
  readonly method: string;
  /** Without the first slash: `dbs/a/colls/b/docs`. */
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Now, unless given. */
  readonly date?: Date;
}

interface RawAnswer {
  readonly status: number;
  readonly subStatus: number;
  readonly body: Record<string, unknown>;
}

/** Sends what the SDK would not, signed as the REST documentation says. */
export async function sendRaw(
  { connectionString }: TestAccount,
  { method, path, headers, body, date = new Date() }: RawRequest,
): Promise<RawAnswer> {
  const { endpoint, key } = parse(connectionString);
  const segments = path.split('/').filter((segment) => segment !== '');
  const isFeed = segments.length % 2 === 1;
  const type = (isFeed ? segments.at(-1) : segments.at(-2)) ?? '';
  const owner = (isFeed ? segments.slice(0, -1) : segments).join('/');
  const signed = [method.toLowerCase(), type, owner, date.toUTCString().toLowerCase(), '', ''].join('\n');
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(signed).digest('base64');
  const response = await fetch(`${endpoint}${path}`, {
    method,
    headers: {
      authorization: encodeURIComponent(`type=master&ver=1.0&sig=${signature}`),
      'x-ms-date': date.toUTCString(),
      'x-ms-version': '2020-07-15',
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
  const subStatus = Number(response.headers.get('x-ms-substatus') ?? 0);
  return { status: response.status, subStatus, body: (await response.json()) as Record<string, unknown> };
}

/** Sends to the items of a container what the SDK would not. */
export function postItems(
  account: TestAccount,
  container: Container,
  headers: Record<string, string>,
  body: unknown,
): Promise<RawAnswer> {
  const path = `dbs/${account.database.id}/colls/${container.id}/docs`;
  return sendRaw(account, { method: 'POST', path, headers, body: JSON.stringify(body) });
}

export function batchOf(...bodies: JSONObject[]) {
  return bodies.map((resourceBody) => ({ operationType: 'Create' as const, resourceBody }));
}

function parse(connectionString: string): { endpoint: string; key: string } {
  const match = /AccountEndpoint=([^;]+);AccountKey=([^;]+)/.exec(connectionString);
  return { endpoint: match?.[1] ?? '', key: match?.[2] ?? '' };
}
