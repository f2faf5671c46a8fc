import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** An endpoint that takes every webhook and remembers it. */
export interface HookReceiver {
  /** Where hooks are to be posted, without a slash at its end; paths below it are told apart by `received`. */
  readonly url: string;
  /** The bodies posted to a path, in the order of their arrival. */
  received(path: string): readonly unknown[];
  stop(): Promise<void>;
}

export async function startHookReceiver(): Promise<HookReceiver> {
  const calls: { path: string; body: unknown }[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      calls.push({ path: request.url ?? '', body });
      response.writeHead(204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received: (path) => calls.filter((call) => call.path === path).map(({ body }) => body),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
