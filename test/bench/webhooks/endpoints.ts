import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { now } from './running-product.ts';

/** A webhook as an endpoint got it. */
export interface HeardCall {
  /** Which endpoint, from 0 on. */
  readonly endpoint: number;
  /** When it was there as a whole, in milliseconds since the Unix epoch. */
  readonly at: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Endpoints with an address of the loopback interface each, so that connections are shared as little as between hosts. */
export class Endpoints {
  /** The first `silent` of them never answer. */
  silent = 0;
  /** Is told of each call, before it is answered. */
  onCall: (call: HeardCall) => void = () => {};
  readonly urls: readonly string[];
  readonly #listeners: readonly Server[];
  readonly #server: ReturnType<typeof createHttpServer>;

  private constructor(
    urls: readonly string[],
    listeners: readonly Server[],
    server: ReturnType<typeof createHttpServer>,
  ) {
    this.urls = urls;
    this.#listeners = listeners;
    this.#server = server;
    server.on('request', (request, response) => {
      void text(request).then(
        (body) => {
          const endpoint = Number(request.url?.slice(1));
          this.onCall({ endpoint, at: now(), headers: request.headers, body });
          if (endpoint >= this.silent) response.writeHead(204).end();
        },
        () => response.destroy(),
      );
    });
  }

  static async open(count: number): Promise<Endpoints> {
    const server = createHttpServer({ keepAliveTimeout: 60_000 });
    const listeners: Server[] = [];
    let port = 0;
    for (let nth = 0; nth < count; nth += 1) {
      const listener = createServer((socket) => server.emit('connection', socket));
      listener.listen(port, addressOf(nth));
      await once(listener, 'listening');
      port = (listener.address() as AddressInfo).port;
      listeners.push(listener);
    }
    const urls = listeners.map((_, nth) => `http://${addressOf(nth)}:${port}/${nth}`);
    return new Endpoints(urls, listeners, server);
  }

  close(): void {
    for (const listener of this.#listeners) listener.close();
    this.#server.closeAllConnections();
  }
}

function addressOf(nth: number): string {
  return `127.9.${Math.floor(nth / 250)}.${1 + (nth % 250)}`;
}
