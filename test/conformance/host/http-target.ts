import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type HostProcess, startHost } from './host-process.ts';

/** A host with a fixture app: one of its own, or one that runs elsewhere. */
export interface HttpTarget {
  readonly url: string;
  /** Undefined for a host that runs elsewhere, of which only its answers can be seen. */
  readonly process: HostProcess | undefined;
  get(path: string, init?: RequestInit): Promise<Response>;
  /** Opens a connection, for what fetch would tidy up or does not know. */
  connect(): Socket;
  /** Sends bytes as they are, and returns all of the answer, after which the host has to close. */
  sendRaw(request: string): Promise<string>;
}

/** `baseUrl` is that of a host that runs elsewhere, if one is to be tried. */
export async function openTarget(
  baseUrl: string | undefined,
  ...fixture: Parameters<typeof startHost>
): Promise<HttpTarget> {
  const process = baseUrl === undefined ? await startHost(...fixture) : undefined;
  const url = (process?.url ?? baseUrl ?? '').replace(/\/$/, '');
  const open = () => {
    const { hostname, port } = new URL(url);
    return connect(Number(port || '80'), hostname).setEncoding('latin1');
  };
  return {
    url,
    process,
    get: (path, init) => fetch(url + path, init),
    connect: open,
    async sendRaw(request) {
      const socket = open();
      const received = collect(socket);
      socket.write(request, 'latin1');
      await once(socket, 'close');
      return Buffer.from(received(), 'latin1').toString();
    },
  };
}

/** Collects what a connection sends. */
export function collect(socket: Socket): () => string {
  let received = '';
  socket.on('data', (text: string) => {
    received += text;
  });
  return () => received;
}
