import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AdminEndpoints } from './admin-endpoints.ts';
import type { HostJson } from './host-json.ts';
import { parseRequestTarget, type RequestTarget, toHttpRequestData } from './http-request.ts';
import { writeResponse, writeStatus } from './http-response.ts';
import type { Invoker } from './invocation.ts';
import { describeError, type Log } from './log.ts';
import { RequestGate } from './request-gate.ts';
import type { RouteMatch, Router } from './router.ts';

/** Kestrel's defaults, where node's differ. */
const KEEP_ALIVE_TIMEOUT = 130_000;
const MAXIMUM_HEADER_BYTES = 32 * 1024;

const HOME_PAGE = '<!doctype html><title>Functions host</title><p>Your functions host is up and running.</p>';
const CATEGORY = 'Host.Http';

export interface FunctionsServerOptions {
  readonly router: Router;
  readonly invoker: Invoker;
  readonly admin: AdminEndpoints;
  readonly log: Log;
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
  #stopping = false;
  #openResponses = 0;
  #onAnswered: (() => void) | undefined;

  constructor(options: FunctionsServerOptions) {
    this.#options = options;
    this.#gate = new RequestGate(options.http.maxConcurrentRequests, options.http.maxOutstandingRequests);
    this.#server = createServer(
      { keepAliveTimeout: KEEP_ALIVE_TIMEOUT, maxHeaderSize: MAXIMUM_HEADER_BYTES },
      (request, response) => this.#answer(request, response),
    );
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
    if (this.#openResponses === 0) return;
    await new Promise<void>((resolve) => {
      this.#onAnswered = resolve;
    });
  }

  /** Ends what is still open. */
  close(): void {
    this.#server.closeAllConnections();
  }

  readonly #closed = (): void => {
    this.#openResponses--;
    if (this.#openResponses === 0) this.#onAnswered?.();
  };

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.#openResponses++;
    response.once('close', this.#closed);
    if (this.#stopping) {
      response.shouldKeepAlive = false;
      answerWithout(request, response, 503);
      return;
    }
    if (!isSaneHost(request.headers.host ?? '')) {
      answerWithout(request, response, 400);
      return;
    }
    const target = parseRequestTarget(request.url ?? '/');
    if (target === undefined) {
      answerWithout(request, response, 404);
      return;
    }
    if (/^\/(admin|runtime)(\/|$)/i.test(target.path)) {
      this.#options.admin.answer(request, response, target.path);
      return;
    }
    const match = this.#options.router.match(request.method ?? 'GET', target.path);
    if (match === undefined) this.#answerUnmatched(request, response, target);
    else if (match.definition.disabled) answerWithout(request, response, 404);
    else if (!this.#gate.enter(() => void this.#answerMatched(request, response, target, match))) {
      answerWithout(request, response, 429, { 'x-function-scaleout': '1' });
    }
  }

  #answerUnmatched(request: IncomingMessage, response: ServerResponse, { path }: RequestTarget): void {
    if (path !== '/' || request.method !== 'GET') {
      answerWithout(request, response, 404);
    } else if (this.#options.homePageDisabled) {
      answerWithout(request, response, 204);
    } else {
      const headers = { 'content-type': 'text/html', 'content-length': HOME_PAGE.length };
      response.writeHead(200, headers).end(HOME_PAGE);
    }
  }

  async #answerMatched(
    request: IncomingMessage,
    response: ServerResponse,
    target: RequestTarget,
    match: RouteMatch,
  ): Promise<void> {
    try {
      const length = Number(request.headers['content-length'] ?? 0);
      if (length > this.#options.bodySizeLimit) return answerWithout(request, response, 413);
      this.#warnOfChunkedBody(request, match);
      const body = length > 0 ? await readBody(request, length) : undefined;
      if (length === 0) request.resume();
      await this.#invoke(request, response, target, match, body);
    } catch (error) {
      // A function's own failure is logged by the invoker; the client never learns more than that it failed.
      this.#options.log.write(
        'debug',
        CATEGORY,
        `500 for ${request.method} ${target.rawPath}: ${describeError(error)}`,
      );
      writeStatus(response, 500);
    } finally {
      this.#gate.leave();
    }
  }

  async #invoke(
    request: IncomingMessage,
    response: ServerResponse,
    target: RequestTarget,
    { definition, values }: RouteMatch,
    body: Uint8Array | undefined,
  ): Promise<void> {
    const { invoker, log, http } = this.#options;
    const { returnValue } = await invoker.invoke(definition, {
      input: { http: toHttpRequestData(request, target, values, body) },
      traceParent: headerText(request.headers.traceparent),
      traceState: headerText(request.headers.tracestate),
    });
    if (this.#stopping) response.shouldKeepAlive = false;
    const data = returnValue?.http;
    if (data === undefined) return writeStatus(response, 204, http.customHeaders);
    if (data.enableContentNegotiation) {
      log.write(
        'error',
        CATEGORY,
        `Function '${definition.name}' asks for content negotiation, which is not supported here.`,
      );
      return writeStatus(response, 500);
    }
    if (response.destroyed) return;
    writeResponse(response, data, http.customHeaders);
  }

  #warnOfChunkedBody(request: IncomingMessage, { definition }: RouteMatch): void {
    if (request.headers['transfer-encoding'] === undefined) return;
    const message = `Function '${definition.name}' gets no body: without Content-Length the Functions host drops it.`;
    this.#options.log.write('warning', CATEGORY, message);
  }
}

/** Answers without running anything; a body that is still to come is read and forgotten, or the connection would stall. */
function answerWithout(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): void {
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

function headerText(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

/** What Azure's front end lets through; anything else would not fit into the URL that the library is given. */
function isSaneHost(host: string): boolean {
  return /^([0-9A-Za-z._-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/.test(host);
}
