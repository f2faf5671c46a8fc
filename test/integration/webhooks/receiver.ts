import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

/** A call as an endpoint saw it. */
export interface Call {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** As it was sent, to the byte: what a signature is about. */
  readonly text: string;
  readonly body: unknown;
}

/** What a call in any format but Nesoi’s tells of a change. */
export interface Told {
  readonly subscription: string;
  readonly ns: string;
  readonly scope: string;
  readonly key: string;
  readonly revision: number;
  readonly type: string;
  readonly actor: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** In CloudEvents’ binary mode it is the body as such. */
export function toldBy({ body }: Pick<Call, 'body'>): Told {
  const { data = body as Told } = body as { readonly data?: Told };
  return data;
}

/** A status to answer with, a redirect, or to come again after so many seconds. */
export type Answer = number | { readonly redirectTo: string } | { readonly retryAfter: number };

export interface Receiver {
  readonly port: number;
  readonly url: string;
  /** In the order of their arrival. */
  readonly calls: readonly Call[];
  /** What is answered to the nth call, from 0 on; 200 unless set. */
  answer: (nth: number) => Answer | Promise<Answer>;
  stop(): Promise<void>;
}

/** An endpoint for webhooks on a free port of the loopback interface. */
export async function startReceiver(): Promise<Receiver> {
  const calls: Call[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const nth = calls.length;
    const sent = await text(request);
    calls.push({
      path: request.url ?? '',
      headers: request.headers,
      text: sent,
      body: JSON.parse(sent),
    });
    const answer = await receiver.answer(nth);
    if (typeof answer === 'number') {
      response.writeHead(answer).end(answer < 300 ? '' : 'no,\nnot now');
    } else if ('retryAfter' in answer) {
      response.writeHead(429, { 'retry-after': String(answer.retryAfter) }).end();
    } else {
      response.writeHead(307, { location: answer.redirectTo }).end();
    }
  };
  const server = createServer((request, response) => void respond(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const receiver: Receiver = {
    port,
    url: `http://127.0.0.1:${port}`,
    calls,
    answer: () => 200,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return receiver;
}
