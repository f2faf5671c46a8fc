import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';

/** How an endpoint answers the question for its consent. */
export interface ConsentReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An endpoint that is asked before it is called. */
export interface ConsentingReceiver {
  readonly url: string;
  /** The headers of each question, in the order of arrival. */
  readonly questions: readonly IncomingHttpHeaders[];
  /** The headers of each delivery. */
  readonly deliveries: readonly IncomingHttpHeaders[];
  /** What is answered to a question; 200 without consent unless set. */
  reply: (question: IncomingHttpHeaders) => ConsentReply | Promise<ConsentReply>;
  stop(): Promise<void>;
}

export async function startConsentingReceiver(): Promise<ConsentingReceiver> {
  const questions: IncomingHttpHeaders[] = [];
  const deliveries: IncomingHttpHeaders[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    if (request.method !== 'OPTIONS') {
      deliveries.push(request.headers);
      response.end();
      return;
    }
    questions.push(request.headers);
    const { status = 200, headers = {} } = await receiver.reply(request.headers);
    response.writeHead(status, headers).end();
  };
  const server = createServer((request, response) => void respond(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const receiver: ConsentingReceiver = {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/hook?secret=x`,
    questions,
    deliveries,
    reply: () => ({}),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return receiver;
}
