import type { HeaderReader, IncomingRequest } from './request.ts';
import type { HttpResponse } from './response.ts';

/** What pages of other origins may read of an answer; by name, because `*` means nothing where credentials go along. */
const EXPOSED =
  'ETag, X-Skerry-Revision, X-Skerry-Version, X-Request-Id, Location, Content-Location, Operation-Location, Link, Age, Last-Modified, Accept-Ranges, Content-Range, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate';
const ALLOWED =
  'Authorization, Content-Type, Accept, If-Match, If-None-Match, Range, If-Range, Cache-Control, Idempotency-Key, Last-Event-ID, X-Request-Id, traceparent, tracestate';
/** Seconds that a browser may remember the answer to a preflight; Chromium takes no more. */
const MAX_AGE = '7200';

/** Which pages of other origins may call the API (WHATWG Fetch, "CORS protocol"): none, unless it is set. */
export class CrossOrigin {
  readonly #origins: ReadonlySet<string>;

  /** @param origins exact ones, or `*` for all, whom no browser sends credentials of its own for. */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** The answer to the question that a browser asks before a call, which carries no token; undefined for any other request. */
  preflight({ method, headers }: IncomingRequest, methods: string): HttpResponse | undefined {
    const isAsked = method === 'OPTIONS' && headers.get('access-control-request-method') !== null;
    return isAsked && this.#isAllowed(headers.get('origin'))
      ? {
          status: 204,
          headers: {
            'Access-Control-Allow-Methods': methods,
            'Access-Control-Allow-Headers': ALLOWED,
            'Access-Control-Max-Age': MAX_AGE,
          },
        }
      : undefined;
  }

  /** What every answer says to the page that asked. */
  headersFor(headers: HeaderReader): Record<string, string> {
    if (this.#origins.size === 0) {
      return {};
    }
    const exposed = { 'Access-Control-Expose-Headers': EXPOSED };
    if (this.#origins.has('*')) {
      return { 'Access-Control-Allow-Origin': '*', ...exposed };
    }
    const origin = headers.get('origin');
    return origin !== null && this.#isAllowed(origin)
      ? {
          'Access-Control-Allow-Origin': origin,
          'Access-Control-Allow-Credentials': 'true',
          ...exposed,
          Vary: 'Origin',
        }
      : { Vary: 'Origin' };
  }

  #isAllowed(origin: string | null): boolean {
    return origin !== null && (this.#origins.has('*') || this.#origins.has(origin));
  }
}
