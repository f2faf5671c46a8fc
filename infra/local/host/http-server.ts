import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import type { AdminEndpoints } from './admin-endpoints.ts';
import type { FunctionKeys } from './function-keys.ts';
import type { HostJson } from './host-json.ts';
import { type Exchange, parseRequestTarget, type RequestTarget, toHttpRequestData } from './http-request.ts';
import { writeResponse, writeStatus } from './http-response.ts';
import type { HttpStream } from './http-stream.ts';
import type { Invoker } from './invocation.ts';
import { describeError, type Log } from './log.ts';
import { RequestGate } from './request-gate.ts';
import type { RouteMatch, Router } from './router.ts';

/** Kestrel's defaults, where node's differ. */
const KEEP_ALIVE_TIMEOUT = 130_000;
const HEADERS_TIMEOUT = 30_000;
const MAXIMUM_HEADER_BYTES = 32 * 1024;
const MAXIMUM_HEADER_COUNT = 100;
const MAXIMUM_REQUEST_LINE_BYTES = 8 * 1024;

const BODY_DRAIN_TIMEOUT = 5_000;
const ENDS_CONNECTION: ReadonlySet<number> = new Set([400, 414, 431, 503]);

const HOME_PAGE = '<!doctype html><title>Functions host</title><p>Your functions host is up and running.</p>';
const CATEGORY = 'Host.Http';

export interface FunctionsServerOptions {
  readonly router: Router;
  readonly invoker: Invoker;
  readonly admin: AdminEndpoints;
  readonly log: Log;
  /** If the app streams. */
  readonly stream: HttpStream | undefined;
  /** Every caller may call every function if there are none. */
  readonly keys: FunctionKeys | undefined;
  readonly http: HostJson['extensions']['http'];
  /** Largest request body in bytes. */
  readonly bodySizeLimit: number;
  readonly homePageDisabled: boolean;
}

/** The HTTP front of the host: finds the function, runs it, writes its answer. */
export class FunctionsServer {
  readonly #options: FunctionsServerOptions;
  readonly #gate: RequestGate;
  readonly #server: Server;
  readonly #open = new Set<ServerResponse>();
  #stopping = false;
  #onAnswered: (() => void) | undefined;

  constructor(options: FunctionsServerOptions) {
    this.#options = options;
    this.#gate = new RequestGate(options.http.maxConcurrentRequests, options.http.maxOutstandingRequests);
    this.#server = createServer({
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: 0,
      maxHeaderSize: MAXIMUM_HEADER_BYTES,
    });
    // node would leave the rest out without a word.
    this.#server.maxHeadersCount = 0;
    // A client that waits for `100 Continue` gets it when its body is to be read.
    for (const event of ['request', 'checkContinue'] as const) this.#server.on(event, this.#answer);
    this.#server.on('connect', (_request, socket) => socket.end(bareAnswer(404)));
    this.#server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) => {
      const isAnswering = [...this.#open].some((response) => response.socket === socket);
      if (isAnswering || !socket.writable) socket.destroy();
      else socket.end(bareAnswer(statusOfParseError(error)));
    });
    // It never listens itself; but only now does it keep a list of its connections, and end those that say nothing.
    this.#server.emit('listening');
  }

  /** Serves a connection that was accepted elsewhere. */
  accept(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  /** Turns new requests away, and resolves once those that are there have their answers. */
  async stopAccepting(): Promise<void> {
    this.#stopping = true;
    for (const response of this.#open) response.shouldKeepAlive = false;
    if (this.#open.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onAnswered = resolve;
    });
  }

  /** Ends what is still open. */
  close(): void {
    this.#server.closeAllConnections();
  }

  readonly #answer = (request: IncomingMessage, response: ServerResponse): void => {
    this.#open.add(response);
    response.once('close', () => {
      this.#open.delete(response);
      if (this.#open.size === 0) this.#onAnswered?.();
    });
    const target = parseRequestTarget(request.url ?? '', request.headers.host);
    const refusal = this.#stopping ? 503 : refusalOf(request, target);
    if (refusal !== undefined || target === undefined) {
      answerWithout({ request, response }, refusal ?? 400);
      return;
    }
    const exchange = { request, response, target };
    if (/^\/(admin|runtime)(\/|$)/i.test(target.path)) {
      void this.#options.admin.answer(exchange);
    } else if (!this.#gate.enter(() => void this.#runGated(exchange))) {
      // The limits come before the routing: what no function answers counts as well.
      answerWithout(exchange, 429, { 'x-function-scaleout': '1' });
    }
  };

  async #runGated(exchange: Exchange): Promise<void> {
    const { http, log } = this.#options;
    const { request, response, target } = exchange;
    try {
      for (const name in http.customHeaders) response.setHeader(name, http.customHeaders[name] ?? '');
      await this.#run(exchange);
    } catch (error) {
      // A function's own failure is logged by the invoker; the client never learns more than that it failed.
      const message = `500 for ${request.method} ${target.path}: ${describeError(error)}`;
      log.write('debug', CATEGORY, message);
      writeStatus(response, 500);
    } finally {
      this.#gate.leave();
    }
  }

  async #run(exchange: Exchange): Promise<void> {
    const { router, keys, stream, log, bodySizeLimit } = this.#options;
    const { request, response, target } = exchange;
    const match = router.match(request.method ?? '', target.path);
    if (match === undefined) return this.#answerUnmatched(exchange);
    const { name, trigger, disabled } = match.definition;
    const level = keys?.levelOf(request.headers, target.query, name);
    const mayCall =
      level === undefined || level === 'admin' || ['anonymous', level].includes(trigger.authLevel);
    if (!mayCall) return answerWithout(exchange, 401);
    if (disabled && level !== 'admin') return answerWithout(exchange, 404);

    const length = Number(request.headers['content-length'] ?? 0);
    if (length > bodySizeLimit) return answerWithout(exchange, 413);
    if (stream !== undefined) {
      if (request.headers['transfer-encoding'] !== undefined) limitBody(exchange, bodySizeLimit);
      if (request.headers.expect !== undefined) response.writeContinue();
      return stream.answer(exchange, match);
    }
    if (request.headers['transfer-encoding'] !== undefined) {
      const message = `Function '${name}' gets no body: without Content-Length the Functions host drops it.`;
      log.write('warning', CATEGORY, message);
    }
    if (length > 0 && request.headers.expect !== undefined) response.writeContinue();
    const body = length > 0 ? await readBody(request, length) : undefined;
    if (length === 0) request.resume();
    await this.#invoke(exchange, match, body);
  }

  async #invoke(
    exchange: Exchange,
    { definition, values }: RouteMatch,
    body: Uint8Array | undefined,
  ): Promise<void> {
    const { invoker, log } = this.#options;
    const { response } = exchange;
    const http = toHttpRequestData(exchange, values, body);
    const { traceparent, tracestate } = http.nullableHeaders;
    const { returnValue } = await invoker.invoke(definition, {
      input: { http },
      traceParent: traceparent?.value,
      traceState: tracestate?.value,
    });
    const data = returnValue?.http;
    if (data === undefined) return writeStatus(response, 204);
    if (data.enableContentNegotiation) {
      const message = `Function '${definition.name}' asks for content negotiation, which is not supported here.`;
      log.write('error', CATEGORY, message);
      return writeStatus(response, 500);
    }
    if (!response.destroyed) writeResponse(response, data);
  }

  /** The root is left to the home page, whatever the method. */
  #answerUnmatched(exchange: Exchange): void {
    const { request, response, target } = exchange;
    if (target.path !== '/' || this.#options.homePageDisabled) {
      answerWithout(exchange, target.path === '/' ? 204 : 404);
      return;
    }
    request.resume();
    const headers = { 'content-type': 'text/html', 'content-length': HOME_PAGE.length };
    response.writeHead(200, headers).end(HOME_PAGE);
  }
}

/** For a connection that has no request that node could answer. */
function bareAnswer(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
}

/** What node answers by itself, but for methods that it does not know, which no function has. */
function statusOfParseError({ code, rawPacket }: NodeJS.ErrnoException & { rawPacket?: Buffer }): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 413;
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408;
  const isMethodUnknown =
    code === 'HPE_INVALID_METHOD' && /^[A-Z-]+ \/\S* HTTP\/1\.1\r\n/.test(`${rawPacket}`);
  return isMethodUnknown ? 404 : 400;
}

/** The status with which Kestrel, or Azure's front end, turns a request away before the host sees it. */
function refusalOf(
  { method = '', url = '', rawHeaders, headers }: IncomingMessage,
  target: RequestTarget | undefined,
): number | undefined {
  if (method.length + url.length + ' '.length + ' HTTP/1.1\r\n'.length > MAXIMUM_REQUEST_LINE_BYTES)
    return 414;
  if (rawHeaders.length > 2 * MAXIMUM_HEADER_COUNT) return 431;
  // Anything else would not fit into the URL that the library is given.
  if (!/^([0-9A-Za-z._-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/.test(headers.host ?? '')) return 400;
  if (target === undefined) return method === 'OPTIONS' && url === '*' ? 404 : 400;
  return undefined;
}

/** Answers without running anything; a body that is still to come is read and forgotten, or the connection would stall. */
function answerWithout(
  { request, response }: Pick<Exchange, 'request' | 'response'>,
  status: number,
  headers: Record<string, string> = {},
): void {
  // Whether a client that was not told to continue sends its body all the same, nobody knows.
  if (request.headers.expect !== undefined || ENDS_CONNECTION.has(status)) response.shouldKeepAlive = false;
  request.resume();
  writeStatus(response, status, headers);
}

/** @throws Error if the client goes away before the whole body is there. */
async function readBody(request: IncomingMessage, length: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, length);
}

/**
 * Refuses a body of unknown length, and fails whoever reads it, when it grows beyond the limit. What still comes is read and
 * forgotten for a while, as Kestrel does: a connection that is cut at once can take the answer with it.
 */
function limitBody({ request, response }: Exchange, limit: number): void {
  const push = request.push.bind(request);
  const fail = () => request.destroy(new Error('The request body is too large.'));
  let received = 0;
  let patience: NodeJS.Timeout | undefined;
  request.push = (chunk: Uint8Array | null, encoding?: BufferEncoding) => {
    received += chunk?.byteLength ?? 0;
    if (received <= limit) return push(chunk, encoding);
    if (patience === undefined) {
      patience = setTimeout(fail, BODY_DRAIN_TIMEOUT);
      request.once('close', () => clearTimeout(patience));
      if (response.headersSent) response.destroy();
      else writeStatus(response, 413);
    }
    if (chunk === null) fail();
    return true;
  };
}
