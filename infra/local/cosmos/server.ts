import { createSecretKey, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { controlFaults, FAULTS_PATH, METHOD_REFUSAL } from '../faults/fault-server.ts';
import type { CheckToken } from '../identity/token-authority.ts';
import { Catalog } from './catalog.ts';
import { badRequest, CosmosError } from './cosmos-error.ts';
import { ExpirySweeper } from './expiry-sweeper.ts';
import { Faults, faultError } from './faults.ts';
import { errorReply, Gateway } from './gateway.ts';
import { MAX_PARTITIONS } from './partition-ranges.ts';
import { type CosmosReply, type CosmosRequest, jsonBody, operationOf, segmentsOf } from './request.ts';
import { checkSignature } from './signature.ts';
import { StaleHistory } from './stale-history.ts';
import { Store } from './store.ts';

export interface CosmosServerOptions {
  /** 0 = any free port. */
  readonly port: number;
  /** 127.0.0.1 unless given. */
  readonly host?: string;
  /** Absent = a temporary folder, removed by `stop`. */
  readonly dataFolder?: string;
  /** Milliseconds by which reads weaker than Strong lag; 0 or absent = none. */
  readonly staleMs?: number;
  /** Offers the control endpoint `/_skerry/faults`. */
  readonly faults?: boolean;
  /** Physical partitions of each container that is created, 1 (the default) to 100; those that stand keep their own. */
  readonly partitions?: number;
  /** Takes tokens of an identity too; no tokens are taken without it. */
  readonly checkToken?: CheckToken | undefined;
}

export interface CosmosServer {
  readonly endpoint: string;
  readonly key: string;
  readonly connectionString: string;
  readonly port: number;
  /** The control endpoint, if it is offered. */
  readonly faultsUrl: string | undefined;
  /** From now on creating, replacing and deleting databases and containers is 403, as it is to data-plane roles in Azure. */
  denyControlPlane(): void;
  stop(): Promise<void>;
}

/** The official emulator's well-known key: not a secret. */
const WELL_KNOWN_KEY =
  'C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==';
/** A KeyObject signs five times as fast as the bytes would. */
const SIGNING_KEY = createSecretKey(WELL_KNOWN_KEY, 'base64');
/** Clients keep their sockets; a shorter wait here would reset writes, which the SDK does not retry. */
const KEEP_ALIVE_MS = 120_000;
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/**
 * Starts a Cosmos DB NoSQL account that speaks the service's REST protocol.
 * @throws Error with `code` EADDRINUSE when the port is taken, or for data of another version of the emulator
 * @throws RangeError for a count of partitions that cannot be
 */
export async function startCosmosServer(options: CosmosServerOptions): Promise<CosmosServer> {
  const { host = '127.0.0.1', partitions = 1 } = options;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MAX_PARTITIONS) {
    throw new RangeError(`A container has 1 to ${MAX_PARTITIONS} physical partitions, not ${partitions}.`);
  }
  const http = createServer({ noDelay: true, keepAliveTimeout: KEEP_ALIVE_MS, requireHostHeader: false });
  http.requestTimeout = 0;
  http.on('clientError', refuseConnection);
  await listen(http, options.port, host);
  const { port } = http.address() as AddressInfo;
  const endpoint = `http://${host}:${port}/`;
  // From here to the request handler nothing may wait: the port is open already.
  const folder = options.dataFolder ?? mkdtempSync(join(tmpdir(), 'skerry-cosmos-'));
  mkdirSync(folder, { recursive: true });
  const store = openStore(folder, http);
  const catalog = new Catalog(store, partitions);
  const sweeper = new ExpirySweeper(store, catalog);
  const { staleMs = 0 } = options;
  const history = staleMs > 0 ? new StaleHistory(staleMs) : undefined;
  const gateway = new Gateway(catalog, {
    store,
    history,
    current: (container) => catalog.current(container),
  });
  const { checkToken } = options;
  const front: Front = {
    gateway,
    endpoint,
    checkToken,
    faults: options.faults === true ? new Faults() : undefined,
  };
  const active = new Set<Promise<void>>();
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const served = serve(front, request, response).finally(() => active.delete(served));
    active.add(served);
  };
  http.on('request', onRequest);
  // What Node would refuse without a body.
  http.on('checkExpectation', onRequest);
  return {
    endpoint,
    key: WELL_KNOWN_KEY,
    connectionString: `AccountEndpoint=${endpoint};AccountKey=${WELL_KNOWN_KEY};`,
    port,
    faultsUrl: front.faults && new URL(FAULTS_PATH, endpoint).href,
    denyControlPlane: () => gateway.denyControlPlane(),
    async stop() {
      sweeper.stop();
      await close(http);
      await Promise.all(active);
      await store.close();
      if (options.dataFolder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** @throws Error for data of another version; the port is given back then */
function openStore(folder: string, http: Server): Store {
  try {
    return new Store(folder);
  } catch (error) {
    http.close();
    throw error;
  }
}

/** What stands between the sockets and the gateway: bodies, signatures, injected faults, headers that every answer carries. */
interface Front {
  readonly gateway: Gateway;
  readonly endpoint: string;
  readonly checkToken: CheckToken | undefined;
  readonly faults: Faults | undefined;
}

async function serve(front: Front, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  let reply: CosmosReply | undefined;
  try {
    const request = await readRequest(incoming);
    if (request === undefined) return;
    const { faults } = front;
    const isControl = faults !== undefined && incoming.url === FAULTS_PATH;
    reply = isControl ? answerControl(faults, request) : await answer(front, request);
  } catch (error) {
    reply = errorReply(error);
  }
  if (reply === undefined) incoming.socket.destroy();
  else send(response, reply);
}

/** Undefined: the connection is to be dropped. */
async function answer(
  { gateway, endpoint, checkToken, faults }: Front,
  request: CosmosRequest,
): Promise<CosmosReply | undefined> {
  const { method, segments } = request;
  checkSignature(SIGNING_KEY, checkToken, method, segments, request.headers);
  const operation = operationOf(request);
  const fault = faults?.actionFor({ method, path: `/${segments.join('/')}`, operation });
  if (fault?.kind === 'drop-before') return undefined;
  if (fault?.kind === 'status') throw faultError(fault);
  if (fault?.kind === 'delay') await delay(fault.ms);
  const reply = await gateway.answer(request, operation, endpoint);
  return fault?.kind === 'drop-after' ? undefined : reply;
}

function answerControl(faults: Faults, request: CosmosRequest): CosmosReply {
  const described = controlFaults(faults, request.method, () => jsonBody(request));
  if (described === undefined) throw new CosmosError(405, METHOD_REFUSAL);
  return { status: 200, headers: {}, body: JSON.stringify(described) };
}

/** Undefined: the client went away before it had sent everything. */
async function readRequest(incoming: IncomingMessage): Promise<CosmosRequest | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of incoming) {
      bytes += chunk.length;
      if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  if (bytes > MAX_BODY_BYTES) throw new CosmosError(413, 'Request size is too large.');
  return {
    method: incoming.method ?? 'GET',
    segments: segmentsOf(incoming.url ?? '/'),
    headers: incoming.headers,
    body: Buffer.concat(chunks),
  };
}

function send(response: ServerResponse, { status, headers, body }: CosmosReply): void {
  const hasBody = body !== undefined && status !== 204 && status !== 304;
  response.writeHead(status, {
    ...headers,
    'x-ms-activity-id': randomUUID(),
    ...(hasBody ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } : {}),
  });
  response.end(hasBody ? body : undefined);
}

/** Answers what is not HTTP, or has headers of more than 16 KB, in the form of all other refusals. */
function refuseConnection(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const isLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const reason = isLarge ? 'The size of the request headers is too long.' : 'The request is not valid HTTP.';
  const { body = '' } = errorReply(badRequest(reason));
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
  socket.end(`HTTP/1.1 400 Bad Request\r\nConnection: close\r\n${headers}\r\n\r\n${String(body)}`);
}

function listen(http: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, host, () => {
      http.off('error', reject);
      resolve();
    });
  });
}

function close(http: Server): Promise<void> {
  return new Promise((resolve) => {
    http.close(() => resolve());
    http.closeAllConnections();
  });
}
