import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { HttpCookie, HttpResponseData } from './rpc.ts';

const SAME_SITE = { lax: 'lax', strict: 'strict', explicitNone: 'none' } as const;

/** Answers without a body, which is also what any failure of a function looks like. */
export function writeStatus(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders = {},
): void {
  if (response.headersSent || response.destroyed) return;
  const hasLength = status >= 200 && status !== 204 && status !== 304;
  response.writeHead(status, hasLength ? { ...headers, 'content-length': 0 } : headers).end();
}

/** Answers with JSON, as the host's own endpoints do. */
export function writeJson(response: ServerResponse, content: object): void {
  const body = JSON.stringify(content);
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  };
  response.writeHead(200, headers).end(body);
}

/**
 * Writes a function's answer.
 *
 * @throws RangeError or TypeError if node refuses the status or a header.
 */
export function writeResponse(response: ServerResponse, data: HttpResponseData): void {
  const status = Number(data.statusCode);
  const body = data.body?.bytes;
  const headers: OutgoingHttpHeaders = { ...data.headers };
  delete headers['transfer-encoding'];
  if (data.cookies.length > 0) headers['set-cookie'] = withCookies(data);
  const isHead = response.req.method === 'HEAD';
  if (status === 204 || status === 304) delete headers['content-length'];
  else if (!isHead || headers['content-length'] === undefined)
    headers['content-length'] = body?.byteLength ?? 0;
  response.writeHead(status, headers);
  if (isHead || body === undefined) response.end();
  else response.end(body);
}

/** A `set-cookie` among the headers comes first; of several there the library keeps the last. */
function withCookies({ headers, cookies }: HttpResponseData): string[] {
  const fromHeader = headers['set-cookie'];
  const serialised = cookies.map(serialiseCookie);
  return fromHeader === undefined ? serialised : [fromHeader, ...serialised];
}

/** ASP.NET Core's `SetCookieHeaderValue`, with its default path. */
function serialiseCookie(cookie: HttpCookie): string {
  const { expires, maxAge, domain, path, secure, sameSite, httpOnly } = cookie;
  const attributes = [`${escapeData(cookie.name)}=${escapeData(cookie.value)}`];
  if (expires) attributes.push(`expires=${new Date(expires.value.seconds * 1000).toUTCString()}`);
  if (maxAge) attributes.push(`max-age=${Math.trunc(maxAge.value)}`);
  if (domain) attributes.push(`domain=${domain.value}`);
  attributes.push(`path=${path?.value ?? '/'}`);
  if (secure?.value) attributes.push('secure');
  if (sameSite !== 'none') attributes.push(`samesite=${SAME_SITE[sameSite]}`);
  if (httpOnly?.value) attributes.push('httponly');
  return attributes.join('; ');
}

/** .NET's `Uri.EscapeDataString`. */
function escapeData(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
