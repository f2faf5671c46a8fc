import { app, type HttpMethod, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import type { CompleteResponse, Invocation, RouteHandler } from '../../shared/platform/http/index.ts';
import { logOf } from '../log.ts';

/**
 * All that the library takes: a method that a function does not list never reaches it, and would be 404
 * instead of 405.
 */
const METHODS: HttpMethod[] = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * Registers one Azure function for each route. The key check of the host stays off: callers carry a token of
 * our own.
 */
export function registerHttpFunctions(handlers: readonly RouteHandler[], isLocal: boolean): void {
  // For the whole app; without it the host would hold back an event stream until its end (docs/decisions/0007).
  app.setup({ enableHttpStream: true });
  for (const { name, route, handle } of handlers) {
    app.http(name, {
      methods: METHODS,
      authLevel: 'anonymous',
      route,
      handler: async (request, context) =>
        toResponseInit(await handle(request, invocationOf(context, isLocal))),
    });
  }
}

/**
 * Has something end when the process does: at the host's own sign, which comes late, and at a signal where somebody
 * sees to the end of the process already; else a listener would keep it from ending.
 */
export function onShutdown(end: () => unknown): void {
  app.hook.appTerminate(async () => void (await end()));
  if (process.listenerCount('SIGTERM') > 0) {
    process.once('SIGTERM', () => void end());
  }
}

function invocationOf(context: InvocationContext, isLocal: boolean): Invocation {
  let requestId: string | undefined;
  const log = logOf(context, { isLocal, requestId: () => requestId });
  return {
    traceparent: context.traceContext?.traceParent,
    noteRequestId: (id) => {
      requestId = id;
    },
    logError: (...words) => log.error(...words),
  };
}

/** A streaming app's answers have no length unless they say so, and go in chunks. */
function toResponseInit({ status, headers, body }: CompleteResponse): HttpResponseInit {
  const isWhole = typeof body === 'string' || body instanceof Uint8Array;
  return isWhole
    ? { status, headers: { ...headers, 'Content-Length': String(Buffer.byteLength(body)) }, body }
    : { status, headers, body };
}
