import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import type { Certificate } from './loopback-certificate.ts';

export interface TlsFront {
  readonly port: number;
  stop(): Promise<void>;
}

/** Stands before a server of this machine that speaks plain TCP, for clients that speak TLS alone. */
export async function startTlsFront(target: number, { certificate, key }: Certificate): Promise<TlsFront> {
  const sockets = new Set<Socket>();
  const server = createServer({ cert: certificate, key }, (near) => {
    const far = connect(target, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
