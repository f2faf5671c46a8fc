import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

type Loss = 'answer' | 'request' | 'body';

export interface LossyProxy {
  readonly connectionString: string;
  /** `METHOD /path?query` of the requests so far. */
  readonly requests: string[];
  /**
   * What of the next so many requests whose line satisfies the pattern is lost, together with their connection: they are not passed on,
   * or not answered, or their answer ends after its head.
   */
  lose(what: Loss, pattern: RegExp, count?: number): void;
  stop(): Promise<void>;
}

/** A way to Azurite on which requests and answers get lost. */
export async function startLossyProxy(azurite: string): Promise<LossyProxy> {
  const port = Number(/BlobEndpoint=http:\/\/[^:]+:(\d+)/.exec(azurite)?.[1]);
  const requests: string[] = [];
  let losses: { readonly what: Loss; readonly pattern: RegExp; count: number }[] = [];
  const server = createServer((incoming, answer) => {
    pass(incoming, answer).catch(() => answer.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    connectionString: azurite.replace(`:${port}/`, `:${(server.address() as AddressInfo).port}/`),
    requests,
    lose(what, pattern, count = 1) {
      losses.push({ what, pattern, count });
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };

  async function pass(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const line = `${incoming.method} ${decodeURIComponent(incoming.url ?? '')}`;
    requests.push(line);
    const loss = losses.find(({ pattern }) => pattern.test(line));
    if (loss !== undefined) {
      loss.count -= 1;
      losses = losses.filter(({ count }) => count > 0);
    }
    if (loss?.what === 'request') {
      answer.destroy();
      return;
    }
    const outgoing = request({
      port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.rawHeaders,
    });
    pipeline(incoming, outgoing).catch(() => {});
    const [received] = (await once(outgoing, 'response')) as [IncomingMessage];
    if (loss?.what === 'answer') {
      received.resume();
      await once(received, 'end');
      answer.destroy();
      return;
    }
    answer.writeHead(received.statusCode ?? 502, received.rawHeaders);
    if (loss?.what === 'body') {
      answer.flushHeaders();
      received.destroy();
      answer.destroy();
      return;
    }
    await pipeline(received, answer);
  }
}
