import type { Random } from '../random.ts';
import { parseTraceparent } from '../telemetry/index.ts';
import type { Caller } from './caller.ts';
import type { Author, HeaderReader, RequestContext } from './request.ts';

const SANE_REQUEST_ID = /^[0-9A-Za-z._-]{1,128}$/;
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
  readonly caller: Caller;
  readonly #url: string;
  readonly #publicUrl: string | undefined;
  readonly #traceparent: string | undefined;

  constructor(known: {
    ns: string;
    requestId: string;
    headers: HeaderReader;
    caller: Caller;
    url: string;
    publicUrl: string | undefined;
    traceparent: string | undefined;
  }) {
    this.ns = known.ns;
    this.requestId = known.requestId;
    this.headers = known.headers;
    this.caller = known.caller;
    this.#url = known.url;
    this.#publicUrl = known.publicUrl;
    this.#traceparent = known.traceparent;
  }

  get author(): Author {
    const traceparent = this.#traceparent ?? this.headers.get('traceparent') ?? '';
    return { ...this.caller.maker, ...(parseTraceparent(traceparent) && { traceparent }) };
  }

  get baseUrl(): string {
    return this.#publicUrl?.replace(/\/+$/, '') ?? callersBaseUrl(this.#url, this.headers);
  }

  get ownUrl(): string {
    return this.#publicUrl?.replace(/\/+$/, '') ?? new URL(this.#url).origin;
  }

  get clientAddress(): string | undefined {
    return clientAddressOf(this.headers);
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
 * The caller's IP address, as the front end before the app reports it: the last one of the list is what it saw itself and appended;
 * a caller can write the others.
 */
export function clientAddressOf(headers: HeaderReader): string | undefined {
  const last = headers.get('x-forwarded-for')?.split(',').at(-1)?.trim() ?? '';
  const address = /^\[(.+)\](?::\d+)?$/.exec(last)?.[1] ?? last.replace(/^([^:]+):\d+$/, '$1');
  return address === '' ? undefined : address;
}
