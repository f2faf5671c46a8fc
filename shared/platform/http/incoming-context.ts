import type { Random } from '../random.ts';
import type { Author, HeaderReader, RequestContext } from './request.ts';

const SANE_REQUEST_ID = /^[0-9A-Za-z._-]{1,128}$/;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const SANE_HOST = /^[0-9A-Za-z.:[\]_-]{1,255}$/;

/** The caller's request id where it is fit for logs and headers, or else a new one. */
export function requestIdOf(headers: HeaderReader, random: Random): string {
  const given = headers.get('x-request-id');
  return given !== null && SANE_REQUEST_ID.test(given) ? given : `req_${random.id()}`;
}

/** The context of one request. What takes reading further headers is read when it is asked for. */
export class IncomingContext implements RequestContext {
  readonly ns: string;
  readonly requestId: string;
  readonly headers: HeaderReader;
  readonly #actor: string;
  readonly #url: string;
  readonly #publicUrl: string | undefined;
  readonly #traceparent: string | undefined;

  constructor(known: {
    ns: string;
    requestId: string;
    headers: HeaderReader;
    actor: string;
    url: string;
    publicUrl: string | undefined;
    traceparent: string | undefined;
  }) {
    this.ns = known.ns;
    this.requestId = known.requestId;
    this.headers = known.headers;
    this.#actor = known.actor;
    this.#url = known.url;
    this.#publicUrl = known.publicUrl;
    this.#traceparent = known.traceparent;
  }

  get author(): Author {
    const traceparent = this.#traceparent ?? this.headers.get('traceparent') ?? '';
    return { actor: this.#actor, ...(TRACEPARENT.test(traceparent) && { traceparent }) };
  }

  get baseUrl(): string {
    return this.#publicUrl?.replace(/\/+$/, '') ?? callersBaseUrl(this.#url, this.headers);
  }

  get ownUrl(): string {
    return this.#publicUrl?.replace(/\/+$/, '') ?? new URL(this.#url).origin;
  }

  get clientAddress(): string | undefined {
    return clientAddress(this.headers.get('x-forwarded-for'));
  }
}

function callersBaseUrl(url: string, headers: HeaderReader): string {
  const { protocol, host } = new URL(url);
  const forwardedProtocol = headers.get('x-forwarded-proto')?.split(',')[0]?.trim();
  const forwardedHost = headers.get('x-forwarded-host')?.split(',')[0]?.trim() ?? headers.get('host');
  const scheme =
    forwardedProtocol === 'http' || forwardedProtocol === 'https' ? forwardedProtocol : protocol.slice(0, -1);
  return `${scheme}://${forwardedHost && SANE_HOST.test(forwardedHost) ? forwardedHost : host}`;
}

/**
 * The last address of the list is the one that the front end itself saw and appended; a caller can write the
 * others.
 */
function clientAddress(forwardedFor: string | null): string | undefined {
  const last = forwardedFor?.split(',').at(-1)?.trim() ?? '';
  const address = /^\[(.+)\](?::\d+)?$/.exec(last)?.[1] ?? last.replace(/^([^:]+):\d+$/, '$1');
  return address === '' ? undefined : address;
}
