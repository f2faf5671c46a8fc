import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

export interface ApiCall {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** undefined for what is no JSON. */
  readonly body: unknown;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Written as JSON; a text as it is. */
  readonly body?: unknown;
}

/**
 * What happens to a call instead: an answer without the work; no answer, without the work (`drop`) or after it (`lose`); silence
 * (`hang`); half of the true answer (`half`); a body without end (`flood`); a page of some gateway (`lie`).
 */
export type Interference = ApiAnswer | 'drop' | 'lose' | 'hang' | 'half' | 'flood' | 'lie';

export interface ApiServer {
  readonly origin: string;
  /** In the order of their arrival, without those that were refused a connection. */
  readonly calls: ApiCall[];
  /** Asked for each call, before it is worked on. */
  interfere: (call: ApiCall) => Interference | undefined;
  stop(): Promise<void>;
}

/** A server of some API on a free port of the loopback interface. */
export async function startApiServer(work: (call: ApiCall) => ApiAnswer): Promise<ApiServer> {
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const call = await readCall(request);
    api.calls.push(call);
    const interference = api.interfere(call);
    if (typeof interference === 'object') {
      return write(response, interference);
    }
    if (interference === 'drop') {
      return response.socket?.destroy();
    }
    if (interference === 'hang') {
      return;
    }
    if (interference === 'flood') {
      return flood(response);
    }
    if (interference === 'lie') {
      return write(response, {
        status: 200,
        headers: { 'content-type': 'text/html' },
        body: '<html>Sign in</html>',
      });
    }
    const answer = work(call);
    if (interference === 'lose') {
      return response.socket?.destroy();
    }
    return interference === 'half' ? writeHalf(response, answer) : write(response, answer);
  };
  const server = createServer((request, response) => void respond(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const api: ApiServer = {
    origin: `http://127.0.0.1:${port}`,
    calls: [],
    interfere: () => undefined,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return api;
}

/** Interferes with the first calls that are meant, in turn, and leaves all others alone. */
export function firstCalls(
  isMeant: (call: ApiCall) => boolean,
  ...interferences: readonly (Interference | undefined)[]
): ApiServer['interfere'] {
  const left = [...interferences];
  return (call) => (isMeant(call) ? left.shift() : undefined);
}

async function readCall(request: IncomingMessage): Promise<ApiCall> {
  const sent = await text(request);
  return {
    method: request.method ?? '',
    url: new URL(request.url ?? '', 'http://server'),
    headers: request.headers,
    text: sent,
    body: parse(sent),
  };
}

function parse(sent: string): unknown {
  try {
    return JSON.parse(sent);
  } catch {
    return undefined;
  }
}

function bytesOf({ body }: ApiAnswer): Buffer {
  return Buffer.from(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body));
}

function write(response: ServerResponse, answer: ApiAnswer): void {
  const type = typeof answer.body === 'object' ? { 'content-type': 'application/json' } : {};
  response.writeHead(answer.status, { ...type, ...answer.headers }).end(bytesOf(answer));
}

function writeHalf(response: ServerResponse, answer: ApiAnswer): void {
  const bytes = bytesOf(answer);
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    'content-length': bytes.length + 1,
  });
  response.write(bytes.subarray(0, bytes.length / 2), () => response.socket?.destroy());
}

function flood(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const chunk = '[0,'.repeat(20_000);
  const pour = () => {
    while (response.write(chunk));
  };
  response.on('drain', pour);
  pour();
}
