import type { Caller, Maker } from './caller.ts';

/** The header access that a request needs; the Fetch API's `Headers` has it. */
export interface HeaderReader {
  /** The value of a header; several values are joined by commas. */
  get(name: string): string | null;
}

/** What an adapter hands in for one HTTP request; `HttpRequest` of `@azure/functions` has all of it. */
export interface IncomingRequest {
  readonly method: string;
  /** Absolute, with the path and the query percent-encoded as they were sent. */
  readonly url: string;
  readonly headers: HeaderReader;
  /** The values of the route's parameters, decoded but for `%2F`, among others. */
  readonly params?: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<unknown> | null;
  readonly arrayBuffer: () => Promise<ArrayBuffer>;
}

/** Who makes a change and under which trace; changes record the actor and the trace. */
export interface Author extends Maker {
  /** W3C trace context. */
  readonly traceparent?: string;
}

/** What is known of a request before its parameters and body are looked at. */
export interface RequestContext {
  /** The namespace: `?ns=`, or `default`. Always `default` on legacy surfaces. */
  readonly ns: string;
  /** Who asks; goes into the changes that the request makes. */
  readonly author: Author;
  readonly caller: Caller;
  readonly requestId: string;
  /**
   * Base of absolute links, without a slash at its end: `SKERRY_PUBLIC_URL`, or else what the caller used.
   */
  readonly baseUrl: string;
  /**
   * Base of links that others are sent: `SKERRY_PUBLIC_URL`, or else the host that the request came to. What a caller says of
   * proxies before it is not believed: in its name others would be asked, and a link of another host gives away what it holds.
   */
  readonly ownUrl: string;
  /** The caller's IP address as the front end before the app reports it. */
  readonly clientAddress: string | undefined;
  readonly headers: HeaderReader;
}

/** A request whose parameters, query and body satisfy the schemas of the endpoint. */
export interface EndpointRequest<Params, Query, Body> extends RequestContext {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}

/**
 * Binds checked input to its context without evaluating the context, whose members are computed only when
 * asked for.
 */
export class CheckedRequest<Params, Query, Body> implements EndpointRequest<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly #context: RequestContext;

  constructor(context: RequestContext, input: { params: Params; query: Query; body: Body }) {
    this.#context = context;
    this.params = input.params;
    this.query = input.query;
    this.body = input.body;
  }

  get ns(): string {
    return this.#context.ns;
  }

  get author(): Author {
    return this.#context.author;
  }

  get caller(): Caller {
    return this.#context.caller;
  }

  get requestId(): string {
    return this.#context.requestId;
  }

  get baseUrl(): string {
    return this.#context.baseUrl;
  }

  get ownUrl(): string {
    return this.#context.ownUrl;
  }

  get clientAddress(): string | undefined {
    return this.#context.clientAddress;
  }

  get headers(): HeaderReader {
    return this.#context.headers;
  }
}
