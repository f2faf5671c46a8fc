import type { IncomingMessage } from 'node:http';
import type { RouteValues } from './route-template.ts';
import type { HttpRequestData, NullableString } from './rpc.ts';

type NullableStrings = Record<string, NullableString>;

/** The parts of a request's target. */
export interface RequestTarget {
  /** As the client sent it. */
  readonly rawPath: string;
  /** Percent-decoded but for `%2F`, without dot segments. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly query: string;
}

/** Takes a request target apart; undefined if it is no path, as in `OPTIONS *`. */
export function parseRequestTarget(target: string): RequestTarget | undefined {
  const local = target.startsWith('/') ? target : pathOfAbsoluteUrl(target);
  if (local === undefined) return undefined;
  const mark = local.indexOf('?');
  const rawPath = mark === -1 ? local : local.slice(0, mark);
  const decoded = rawPath.includes('%') ? decodePath(rawPath) : rawPath;
  const path = decoded.includes('/.') ? removeDotSegments(decoded) : decoded;
  return { rawPath, path, query: mark === -1 ? '' : local.slice(mark) };
}

function pathOfAbsoluteUrl(target: string): string | undefined {
  if (!URL.canParse(target)) return undefined;
  const { pathname, search } = new URL(target);
  return pathname + search;
}

function decodePath(path: string): string {
  const parts = path.split(/(%2f)/i);
  return parts.map((part, index) => (index % 2 === 1 ? part : decodeWhereValid(part))).join('');
}

function decodeWhereValid(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
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

/** The request as the host hands it to the worker (azure-functions-host, `GrpcMessageConversionExtensions`, without streaming). */
export function toHttpRequestData(
  request: IncomingMessage,
  target: RequestTarget,
  values: RouteValues,
  body: Uint8Array | undefined,
): HttpRequestData {
  const headers = toHeaders(request);
  const scheme = headers['x-forwarded-proto']?.value === 'https' ? 'https' : 'http';
  const host = headers.host?.value ?? 'localhost';
  return {
    url: `${scheme}://${host}${target.rawPath}${target.query}`,
    method: request.method ?? 'GET',
    nullableHeaders: headers,
    nullableQuery: toQuery(target.query),
    nullableParams: toNullableStrings(values),
    ...(body && { body: { bytes: body } }),
  };
}

/** Header names in lower case, repeated ones joined by a bare comma, and what Azure's front end adds. */
function toHeaders(request: IncomingMessage): NullableStrings {
  const headers: NullableStrings = {};
  const { rawHeaders } = request;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    addValue(headers, (rawHeaders[index] ?? '').toLowerCase(), rawHeaders[index + 1] ?? '');
  }
  const { remoteAddress = '', remotePort = 0, remoteFamily } = request.socket;
  const client =
    remoteFamily === 'IPv6' ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
  const forwardedFor = headers['x-forwarded-for'];
  headers['x-forwarded-for'] = {
    value: forwardedFor === undefined ? client : `${forwardedFor.value}, ${client}`,
  };
  headers['x-forwarded-proto'] ??= { value: 'http' };
  headers['x-forwarded-host'] ??= headers.host ?? { value: 'localhost' };
  return headers;
}

/** Keys are merged whatever their case, under the first one's spelling; the library knows one value for a key. */
function toQuery(query: string): NullableStrings {
  const values: NullableStrings = {};
  if (query.length < 2) return values;
  const spellings = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query)) {
    const spelling = spellings.get(key.toLowerCase()) ?? key;
    spellings.set(key.toLowerCase(), spelling);
    addValue(values, spelling, value);
  }
  return values;
}

function addValue(values: NullableStrings, name: string, value: string): void {
  if (name === '__proto__') return;
  const present = values[name];
  values[name] = {
    value: present === undefined || !Object.hasOwn(values, name) ? value : `${present.value},${value}`,
  };
}

function toNullableStrings(values: RouteValues): NullableStrings {
  const nullable: NullableStrings = {};
  for (const name in values) nullable[name] = { value: values[name] ?? '' };
  return nullable;
}
