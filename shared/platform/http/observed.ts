import { inSpan, metrics } from '../telemetry/index.ts';
import type { RouteHandler } from './dispatch.ts';

const SERVER_ERROR = 500;

/**
 * The same function, with its requests counted, and each a span of its trace. What it answers with a stream counts until the stream begins.
 *
 * @param isEntry whether nobody before it tells of its requests, as the functions host does in Azure: to be counted twice there
 *   would double every figure that is made of spans of this kind.
 */
export function observed({ name, route, handle }: RouteHandler, isEntry: boolean): RouteHandler {
  return {
    name,
    route,
    async handle(request, invocation) {
      const startedAt = performance.now();
      const { method } = request;
      const ofHost = invocation.traceparent;
      const ofCaller = request.headers.get('traceparent') ?? undefined;
      const parent = isEntry ? (ofCaller ?? ofHost) : (ofHost ?? ofCaller);
      const attributes = { 'http.request.method': method, 'http.route': `/${route}`, 'faas.name': name };
      const options = { kind: isEntry ? 'server' : 'internal', parent, attributes } as const;
      return await inSpan(`${method} /${route}`, options, async (span) => {
        const response = await handle(request, { ...invocation, traceparent: span.traceparent });
        const { status, headers } = response;
        metrics.httpRequests.add({ function: name, method, status: String(status) });
        metrics.httpDuration.record({ function: name }, (performance.now() - startedAt) / 1000);
        span.set({ 'http.response.status_code': status, 'skerry.request_id': headers['X-Request-Id'] ?? '' });
        if (status >= SERVER_ERROR) span.end(String(status));
        return response;
      });
    },
  };
}
