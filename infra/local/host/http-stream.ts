import { randomUUID } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Exchange, encodePath, toHeaders, toTriggerMetadata } from './http-request.ts';
import { writeStatus } from './http-response.ts';
import type { Invoker } from './invocation.ts';
import type { Log } from './log.ts';
import type { RouteMatch } from './router.ts';

/** After so long without a byte in either direction the real host's proxy gives up. */
const ACTIVITY_TIMEOUT = 240_000;
const INVOCATION_ID = 'x-ms-invocation-id';

export interface HttpStreamOptions {
  /** The library's HTTP server, which takes what is emitted on it as `request`. */
  readonly server: EventEmitter;
  readonly invoker: Invoker;
  readonly log: Log;
  /**
   * Whether a client waits in vain where it does in Azure, the library's answers know no backpressure, and the fields of
   * JSON bodies are parameters.
   */
  readonly strict: boolean;
  /** Milliseconds. */
  readonly activityTimeout?: number;
}

/**
 * Answers requests of an app that has turned on `enableHttpStream`: the library gets the client's request and response
 * themselves, where the real host proxies them to the worker (azure-functions-host, `DefaultHttpProxyService`).
 */
export class HttpStream {
  readonly #options: HttpStreamOptions;

  constructor(options: HttpStreamOptions) {
    this.#options = options;
  }

  /**
   * Resolves once the client has its answer, or is gone.
   *
   * @throws Error if the client goes away before the whole of a body is there that has to be.
   */
  async answer({ request, response, target }: Exchange, { definition, values }: RouteMatch): Promise<void> {
    const { server, invoker, log, strict, activityTimeout = ACTIVITY_TIMEOUT } = this.#options;
    const invocationId = randomUUID();
    // The real host reads a body of known length whole, and sends it on as a stream after that.
    const body = strict && Number(request.headers['content-length']) > 0 ? await buffer(request) : undefined;
    // It may have waited so long for its turn that its client is gone.
    if (response.closed) return;
    const closed = new Promise((resolve) => response.once('close', resolve));
    response.setTimeout(activityTimeout, () => giveUp(response, 504));
    response.once('finish', () => readToEnd(request));
    breakOffWhenShort(response);

    const headers = toHeaders(request);
    request.headers[INVOCATION_ID] = invocationId;
    request.headers['x-forwarded-proto'] = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
    request.headers['x-forwarded-host'] = headers.host ?? 'localhost';
    request.url = encodePath(target.path) + target.query;
    server.emit('request', body === undefined ? request : withBody(request, body), response);
    const outcome = await invoker
      .invoke(definition, {
        input: { http: {} },
        metadata: toTriggerMetadata(headers, target, values, body),
        invocationId,
        traceParent: headers.traceparent,
        traceState: headers.tracestate,
        ...(!strict && { adaptResult: (result) => paceBody(result, response) }),
      })
      .then(
        () => ({ status: 204, what: 'returned nothing' }),
        // Why, the invoker has logged.
        () => ({ status: 500, what: 'failed' }),
      );
    if (!response.writableEnded) {
      if (!response.destroyed) {
        const message = `Function '${definition.name}' ${outcome.what}. With HTTP streaming such a request would hang in Azure`;
        log.write('error', 'Host.Http', `${message}${strict ? ', as it does here.' : '.'}`);
      }
      if (strict) await closed;
      else giveUp(response, outcome.status, { [INVOCATION_ID]: invocationId });
      await invoker.forgetRequest(definition, invocationId);
    }
    await closed;
  }
}

/** An answer that has begun can only be broken off. */
function giveUp(response: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}): void {
  if (response.headersSent) response.destroy();
  else writeStatus(response, status, headers);
}

/**
 * What ends before its `Content-Length` the real host breaks off, some seconds later, when the worker closes the connection between them. Here
 * there is only the one to the client, which node would keep open, and the client would wait for the rest.
 */
function breakOffWhenShort(response: ServerResponse): void {
  let missing = 0;
  const write = response.write.bind(response) as (chunk: string | Uint8Array) => boolean;
  response.write = (chunk: string | Uint8Array) => {
    missing -= Buffer.byteLength(chunk);
    return write(chunk);
  };
  response.once('finish', () => {
    missing += Number(response.getHeader('content-length') ?? 0);
    const hasBody = response.req.method !== 'HEAD' && response.statusCode !== 304;
    if (missing > 0 && hasBody) response.req.socket.destroy();
  });
}

/** What a function has left unread would stand before the connection's next request. */
function readToEnd(request: IncomingMessage): void {
  if (request.complete) return;
  request.removeAllListeners('readable');
  request.resume();
}

function withBody({ method, url, headers }: IncomingMessage, body: Uint8Array): Readable {
  return Object.assign(Readable.from([body], { objectMode: false }), { method, url, headers });
}

/**
 * Makes a streamed body wait for the client, and ends it when the client is gone. The library writes without a look at either,
 * so that a slow client fills the worker's memory in Azure, and a body without end goes on for ever.
 */
function paceBody(result: unknown, response: ServerResponse): unknown {
  if (typeof result !== 'object' || result === null || !('body' in result)) return result;
  const { body } = result;
  if (typeof body !== 'object' || body === null || !(Symbol.asyncIterator in body)) return result;
  const stream = body instanceof ReadableStream ? body : ReadableStream.from(body as AsyncIterable<unknown>);
  const reader = (stream as ReadableStream<unknown>).getReader();
  const cancel = () => void reader.cancel().catch(() => undefined);
  let goOn = () => {};
  response.on('drain', () => goOn());
  response.once('close', () => {
    goOn();
    cancel();
  });
  const paced = new ReadableStream<unknown>(
    {
      async pull(controller) {
        if (response.writableNeedDrain) {
          await new Promise<void>((resolve) => {
            goOn = resolve;
          });
        }
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel,
    },
    { highWaterMark: 0 },
  );
  // The library's own response objects have a body that can be neither copied nor assigned.
  return Object.hasOwn(result, 'body')
    ? { ...result, body: paced }
    : Object.defineProperty(result, 'body', { value: paced });
}
