import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The text as JSON; undefined where it is none. */
  readonly body: unknown;
}

export interface SendOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is when it is text or bytes, else as JSON. */
  readonly body?: unknown;
  /** Sends the body in chunks, without telling its length. */
  readonly chunked?: boolean;
}

/** An HTTP client that sends paths as they are written, dot segments and odd escapes included. */
export interface HttpClient {
  /** @throws Error when no answer comes. */
  send(method: string, path: string, options?: SendOptions): Promise<Answer>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  put(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  post(path: string, body?: unknown): Promise<Answer>;
  delete(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}

/**
 * A client for the canonical API; paths are below `/api/v1`, or anything from the root that begins with a slash.
 *
 * @param token sent as a bearer token.
 * @param ns the namespace of all paths below `/api/v1` that name none.
 */
export function connect(url: string, token?: string, ns?: string): HttpClient {
  const agent = new Agent({ keepAlive: true });
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const client: HttpClient = {
    send(method, path, { headers, body, chunked = false } = {}) {
      const bytes = bytesOf(body);
      return exchange(new URL(url), bytes, {
        agent,
        method,
        path: path.startsWith('/') ? path : `/api/v1/${inNamespace(path, ns)}`,
        headers: {
          ...(bytes !== undefined && { 'content-type': 'application/json' }),
          ...(bytes !== undefined &&
            (chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(bytes.byteLength) })),
          ...authorization,
          ...headers,
        },
      });
    },
    get: (path, headers = {}) => client.send('GET', path, { headers }),
    put: (path, body, headers = {}) => client.send('PUT', path, { body, headers }),
    post: (path, body) => client.send('POST', path, { body }),
    delete: (path, headers = {}) => client.send('DELETE', path, { headers }),
  };
  return client;
}

/** What every refusal of the canonical API holds; further members of the problem can be asked for. */
export function expectProblem(answer: Answer, status: number, members: Record<string, unknown> = {}): void {
  expect(answer, answer.text).toMatchObject({
    status,
    headers: { 'content-type': 'application/problem+json', 'x-request-id': expect.any(String) },
    body: {
      type: expect.stringMatching(/^https:\/\/skerry\.dev\/problems\/[a-z-]+$/),
      title: expect.stringMatching(/\w/),
      status,
      detail: expect.stringMatching(/\w \w/),
      requestId: answer.headers['x-request-id'],
      ...members,
    },
  });
}

function inNamespace(path: string, ns: string | undefined): string {
  if (ns === undefined || /[?&]ns=/.test(path)) return path;
  return `${path}${path.includes('?') ? '&' : '?'}ns=${ns}`;
}

function bytesOf(body: unknown): Buffer | undefined {
  if (body === undefined || Buffer.isBuffer(body)) {
    return body;
  }
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

async function exchange(
  { hostname, port }: URL,
  body: Buffer | undefined,
  options: { agent: Agent; method: string; path: string; headers: Record<string, string> },
): Promise<Answer> {
  const sent = request({ ...options, hostname, port });
  sent.end(body);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve).on('error', reject);
  });
  const content = await text(response);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: content,
    body: parse(content),
  };
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}
