/** The header access that a request needs; the Fetch API's `Headers` has it. */
export interface HeaderReader {
  /** The value of a header, named in lower case; several values are joined by commas. */
  get(name: string): string | null;
}

/** What an adapter hands in for one HTTP request; `HttpRequest` of `@azure/functions` has all of it but the trace context. */
export interface IncomingRequest {
  readonly method: string;
  /** Absolute, with the path and the query exactly as they were sent. */
  readonly url: string;
  readonly headers: HeaderReader;
  readonly body: ReadableStreamLike | null;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A body as a stream of bytes. */
export interface ReadableStreamLike extends AsyncIterable<unknown> {}

/** What is known of a request before its parameters and body are looked at. */
export interface RequestContext {
  /** The namespace: `?ns=`, or `default`. Always `default` on legacy surfaces. */
  readonly ns: string;
  /** Who asks, as changes record it. */
  readonly actor: string;
  readonly requestId: string;
  /** W3C trace context. */
  readonly traceparent?: string;
  /** Base of absolute links, without a slash at its end: `SKERRY_PUBLIC_URL`, or else what the caller used. */
  readonly baseUrl: string;
  /** The caller's IP address as the front end in front of the app reports it. */
  readonly clientAddress?: string;
  readonly headers: HeaderReader;
}

/** A request whose parameters, query and body satisfy the schemas of the endpoint. */
export interface EndpointRequest<Params, Query, Body> extends RequestContext {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}
