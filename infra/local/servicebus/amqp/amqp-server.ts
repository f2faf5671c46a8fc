import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import rhea from 'rhea';
import type { CheckToken } from '../../identity/token-authority.ts';
import type { Broker } from '../broker/broker.ts';
import type { Faults } from '../faults.ts';
import { Claims, type SharedAccessKey } from './claims.ts';
import { ClientConnection } from './client-connection.ts';
import { refuseOtherProtocols } from './refuse-other-protocols.ts';
import type { RheaConnection } from './rhea-internals.ts';

const CONNECTION_OPTIONS = {
  max_frame_size: 64 * 1024,
  /** Milliseconds. */
  idle_time_out: 240_000,
  tcp_no_delay: true,
  sender_options: { autosettle: false, treat_modified_as_released: false },
  receiver_options: { credit_window: 2000, autoaccept: false },
};

/** How long a client may take to close its side (milliseconds). */
const CLOSING_TIME = 500;

/** Accepts AMQP 1.0 over plain TCP and serves the broker's queues. */
export class AmqpServer {
  readonly #server: Server;
  /** Undefined while a client has said nothing. */
  readonly #connections = new Map<Socket, ClientConnection | undefined>();

  constructor(broker: Broker, key: SharedAccessKey, faults?: Faults, checkToken?: CheckToken) {
    const container = rhea.create_container({ id: 'service-bus-emulator' });
    container.sasl_server_mechanisms.enable_anonymous();
    // What Microsoft's other clients choose before they put a token on `$cbs`; it carries no credentials either.
    container.sasl_server_mechanisms.MSSBCBS = container.sasl_server_mechanisms.ANONYMOUS;
    this.#server = createServer((socket) => {
      this.#connections.set(socket, undefined);
      socket.on('close', () => this.#connections.delete(socket));
      // A socket that fails is closed; nobody else needs to know.
      socket.on('error', () => {});
      socket.once('data', (start) => {
        if (refuseOtherProtocols(socket, start)) return;
        const connection = container.create_connection({ ...CONNECTION_OPTIONS, port: 0 }) as RheaConnection;
        const client = new ClientConnection(
          connection,
          broker,
          new Claims(key, Date.now, checkToken),
          faults,
        );
        this.#connections.set(socket, client);
        socket.unshift(start);
        client.accept(socket);
      });
    });
  }

  /** Resolves with the port; rejects with Node's own error, such as EADDRINUSE. */
  async listen(port: number, host: string): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  /** Tells every client and waits until all are gone. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const [socket, client] of this.#connections) client ? client.close() : socket.destroy();
    const deadline = setTimeout(() => {
      for (const socket of this.#connections.keys()) socket.destroy();
    }, CLOSING_TIME);
    await closed;
    clearTimeout(deadline);
  }
}
