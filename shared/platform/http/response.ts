import { checkIfMatch, isNotModified } from './precondition.ts';
import type { HeaderReader } from './request.ts';

export type Body = string | Uint8Array | AsyncIterable<Uint8Array>;

/** What a handler answers. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Made only when somebody reads it, where it is a function: HEAD does not, and needs a `Content-Length` among the headers. */
  readonly body?: Body | (() => Promise<Body>);
}

/** An answer whose body is made. Adapters turn it into their host's form. */
export interface CompleteResponse extends HttpResponse {
  readonly body?: Body;
}

/** The standard headers of answers about records. */
export interface ResponseFacts {
  /** An entity tag as it stands in the header, quotes included. */
  readonly etag?: string;
  /** Sent as `X-Skerry-Revision`. */
  readonly revision?: number;
  /** Absolute, or from the root. */
  readonly location?: string;
  /** Sent as `Age`, rounded down to whole seconds. */
  readonly ageSeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A JSON answer: compact, ending in a newline. */
export function json(status: number, value: unknown, facts: ResponseFacts = {}): HttpResponse {
  return {
    status,
    headers: { 'Content-Type': 'application/json', ...factHeaders(facts) },
    body: `${JSON.stringify(value)}\n`,
  };
}

/**
 * The answer to a read: 304 when what the caller has is current by the entity tag, else the value, which is made only then.
 *
 * @throws SkerryError `precondition-failed` when the caller's `If-Match` names another state.
 */
export function answerRead(headers: HeaderReader, facts: ResponseFacts, value: () => unknown): HttpResponse {
  return answerReadWith(headers, facts, () => json(200, value(), facts));
}

/** As `answerRead`, for what is no JSON, or takes time to make. */
export function answerReadWith<Answer extends HttpResponse | Promise<HttpResponse>>(
  headers: HeaderReader,
  facts: ResponseFacts,
  answer: () => Answer,
): Answer | HttpResponse {
  checkIfMatch(headers, facts.etag);
  return facts.etag !== undefined && isNotModified(headers, facts.etag)
    ? { status: 304, headers: factHeaders(facts) }
    : answer();
}

/** The path of a resource of the canonical API, from the root, as whoever is told of it can ask for it. */
export function canonicalPath(ns: string, path: string): string {
  return `/api/v1/${path}${ns === 'default' ? '' : `?ns=${ns}`}`;
}

/** The address of something that was created, as `Location` gives it. */
export function canonicalLocation({ baseUrl, ns }: { baseUrl: string; ns: string }, path: string): string {
  return baseUrl + canonicalPath(ns, path);
}

/** 302: at the moment it is elsewhere. */
export function redirect(location: string, facts: ResponseFacts = {}): CompleteResponse {
  return { status: 302, headers: factHeaders({ ...facts, location }) };
}

/** 204. */
export function noContent(facts: ResponseFacts = {}): CompleteResponse {
  return { status: 204, headers: factHeaders(facts) };
}

/** A text answer, as legacy surfaces give it. */
export function text(status: number, body: string, facts: ResponseFacts = {}): CompleteResponse {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8', ...factHeaders(facts) }, body };
}

/**
 * 200 with content that somebody stored here, of their own type. A browser neither guesses another nor runs what is in it,
 * because it would do so with the rights of this origin.
 */
export function content(
  bytes: Uint8Array | string | (() => Promise<Body>),
  contentType: string,
  facts: ResponseFacts,
): HttpResponse {
  return {
    status: 200,
    headers: {
      'Content-Type': contentType,
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': "sandbox; default-src 'none'",
      ...factHeaders(facts),
    },
    body: bytes,
  };
}

function factHeaders(facts: ResponseFacts): Record<string, string> {
  const headers: Record<string, string> = { ...facts.headers };
  if (facts.etag !== undefined) {
    headers.ETag = facts.etag;
  }
  if (facts.revision !== undefined) {
    headers['X-Skerry-Revision'] = String(facts.revision);
  }
  if (facts.location !== undefined) {
    headers.Location = facts.location;
  }
  if (facts.ageSeconds !== undefined) {
    headers.Age = String(Math.max(0, Math.floor(facts.ageSeconds)));
  }
  return headers;
}
