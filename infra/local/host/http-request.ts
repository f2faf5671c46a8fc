import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RouteValues } from './route-template.ts';
import type { HttpRequestData, NullableString, TypedData } from './rpc.ts';

/** A `Dictionary`: names come from outside. */
type Strings = Record<string, string>;

/** Makes objects that inherit nothing, as node's own query parser does: those of `Object.create(null)` are slow. */
function Dictionary(): void {}
Dictionary.prototype = Object.create(null);

function makeDictionary<Value>(): Record<string, Value> {
  return new (Dictionary as unknown as new () => Record<string, Value>)();
}

/** The parts of a request's target. */
export interface RequestTarget {
  /** Percent-decoded but for `%2F`, without dot segments. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
}

/** A request, and what answers it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: RequestTarget;
}

/** Takes a request target apart as Kestrel does; undefined if it refuses the target, or the target is no path, as in `OPTIONS *`. */
export function parseRequestTarget(target: string, host?: string): RequestTarget | undefined {
  const local = target.startsWith('/') ? target : pathOfAbsoluteUrl(target, host);
  if (local === undefined || /[^!-~]/.test(local)) return undefined;
  const mark = local.indexOf('?');
  const rawPath = mark === -1 ? local : local.slice(0, mark);
  const decoded = rawPath.includes('%') ? decodePath(rawPath) : rawPath;
  if (decoded.includes('\0')) return undefined;
  const path = decoded.includes('/.') ? removeDotSegments(decoded) : decoded;
  return { path, query: mark === -1 ? '' : local.slice(mark) };
}

/** Its host must be that of the Host header. */
function pathOfAbsoluteUrl(target: string, host: string | undefined): string | undefined {
  const url = /^https?:\/\//i.test(target) ? URL.parse(target) : null;
  if (url === null) return undefined;
  if (host !== undefined && URL.parse(`${url.protocol}//${host}`)?.host !== url.host) return undefined;
  const afterHost = /^https?:\/\/[^/?]*(.*)$/is.exec(target)?.[1] ?? '';
  return afterHost.startsWith('/') ? afterHost : `/${afterHost}`;
}

/** One character in UTF-8. */
const ENCODED_CHARACTER =
  /%[0-7][0-9a-f]|%[cd][0-9a-f]%[89ab][0-9a-f]|%e[0-9a-f](?:%[89ab][0-9a-f]){2}|%f[0-7](?:%[89ab][0-9a-f]){3}/gi;

function decodePath(path: string): string {
  return path.replace(ENCODED_CHARACTER, (encoded) => {
    if (encoded.toLowerCase() === '%2f') return encoded;
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  });
}

function removeDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const segment of segments) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
  }
  const last = segments.at(-1);
  return `/${kept.join('/')}${(last === '.' || last === '..') && kept.length > 0 ? '/' : ''}`;
}

/** A decoded path as it stands in a URL (ASP.NET Core, `PathString.ToUriComponent`), which leaves what looks encoded. */
export function encodePath(path: string): string {
  return path.replace(/(%[0-9a-f]{2})|%|[^%\w\-.~!$&'()*+,;=:@/]+/gi, (text, encoded?: string) => {
    return encoded ?? encodeURIComponent(text);
  });
}

/** The request as the host hands it to the worker (azure-functions-host, `GrpcMessageConversionExtensions`, without streaming). */
export function toHttpRequestData(
  { request, target }: Exchange,
  values: RouteValues,
  body: Uint8Array | undefined,
): HttpRequestData {
  const headers = toHeaders(request);
  return {
    url: `${originOf(headers)}${encodePath(target.path)}${target.query}`,
    method: request.method ?? 'GET',
    nullableHeaders: toNullableStrings(headers),
    nullableQuery: toNullableStrings(toQuery(target.query, (earlier, value) => `${earlier},${value}`)),
    nullableParams: toNullableStrings(values),
    ...(body && { body: { bytes: body } }),
  };
}

/** Where the client sees this host. */
export function originOf(headers: Strings): string {
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
  return `${scheme}://${headers.host ?? 'localhost'}`;
}

/** Header names in lower case, repeated ones joined by a bare comma, and what Azure's front end adds. */
export function toHeaders(request: IncomingMessage): Strings {
  const headers = makeDictionary<string>();
  const { rawHeaders } = request;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    const value = rawHeaders[index + 1] ?? '';
    const earlier = headers[name];
    headers[name] = earlier === undefined ? value : `${earlier},${value}`;
  }
  const { remoteAddress = '', remotePort = 0, remoteFamily } = request.socket;
  const client =
    remoteFamily === 'IPv6' ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
  const forwardedFor = headers['x-forwarded-for'];
  headers['x-forwarded-for'] = forwardedFor === undefined ? client : `${forwardedFor}, ${client}`;
  headers['x-forwarded-proto'] ??= 'http';
  headers['x-forwarded-host'] ??= headers.host ?? 'localhost';
  return headers;
}

/** Keys are merged whatever their case, under the first one's spelling. */
function toQuery(query: string, merge: (earlier: string, value: string) => string): Strings {
  const values = makeDictionary<string>();
  if (query.length < 2) return values;
  const spellings = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query)) {
    const spelling = spellings.get(key.toLowerCase()) ?? key;
    spellings.set(key.toLowerCase(), spelling);
    const earlier = values[spelling];
    values[spelling] = earlier === undefined ? value : merge(earlier, value);
  }
  return values;
}

function toNullableStrings(values: RouteValues): Record<string, NullableString> {
  const nullable = makeDictionary<NullableString>();
  for (const name in values) {
    const value = values[name];
    if (value !== undefined) nullable[name] = { value };
  }
  return nullable;
}

/**
 * What the host tells of a request beside the stream (webjobs-sdk-extensions, `HttpTriggerAttributeBindingProvider.GetRequestBindingData`):
 * one dictionary that ignores case and keeps a name's first spelling, where the route's values replace the query's, and
 * those the body's. The library makes `params` of all its strings, and finds no headers where something else is called so.
 *
 * @param body - read for the fields of a JSON object, as the real host does.
 */
export function toTriggerMetadata(
  headers: Strings,
  { query }: RequestTarget,
  values: RouteValues,
  body?: Uint8Array,
): Record<string, TypedData> {
  const spellings = new Map<string, string>();
  const metadata = makeDictionary<TypedData>();
  const set = (name: string, data: TypedData | undefined) => {
    const spelling = spellings.get(name.toLowerCase()) ?? name;
    spellings.set(name.toLowerCase(), spelling);
    // A value that is null still takes the place of an earlier one, and is then left out.
    if (data === undefined) delete metadata[spelling];
    else metadata[spelling] = data;
  };
  for (const [name, string] of body === undefined ? [] : scalarFields(body)) set(name, { string });
  const lastValues = toQuery(query, (_, value) => value);
  for (const [name, string] of Object.entries(lastValues)) {
    if (name.toLowerCase() !== 'code') set(name, { string });
  }
  for (const [name, string] of Object.entries(values)) {
    set(name, string === undefined ? undefined : { string });
  }
  if (!spellings.has('query')) set('Query', { json: JSON.stringify(lastValues) });
  if (!spellings.has('headers')) set('Headers', { json: JSON.stringify(headers) });
  return metadata;
}

/** The top-level fields of a JSON object that are neither objects, arrays nor null, as .NET writes them. */
function scalarFields(body: Uint8Array): [string, string][] {
  const text = new TextDecoder().decode(body).trim();
  if (!text.startsWith('{')) return [];
  let parsed: object;
  try {
    parsed = JSON.parse(text) as object;
  } catch {
    return [];
  }
  return Object.entries(parsed).flatMap(([name, value]: [string, unknown]): [string, string][] => {
    if (typeof value === 'boolean') return [[name, value ? 'True' : 'False']];
    return typeof value === 'string' || typeof value === 'number' ? [[name, String(value)]] : [];
  });
}
