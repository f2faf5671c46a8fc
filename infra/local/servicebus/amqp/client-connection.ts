import type { Socket } from 'node:net';
import type { EventContext } from 'rhea';
import type { Broker } from '../broker/broker.ts';
import type { MessageQueue } from '../broker/message-queue.ts';
import {
  entityNotFound,
  invalidArgument,
  notAllowed,
  notImplemented,
  ServiceBusError,
} from '../service-bus-error.ts';
import type { Claims } from './claims.ts';
import { ConsumerLink } from './consumer-link.ts';
import { requireReceiving, requireSending } from './entity-roles.ts';
import { manage } from './management.ts';
import { MAX_MESSAGE_SIZE, openProducerLink } from './producer-link.ts';
import { decodeRequest, type Reply, ReplyLinks, type Request } from './reply-links.ts';
import {
  acceptedState,
  type RheaConnection,
  type RheaReceiver,
  type RheaSender,
  type RheaSession,
} from './rhea-internals.ts';
import { SessionTransfers } from './session-transfers.ts';

const CBS = '$cbs';
const MANAGEMENT_SUFFIX = '/$management';
const SESSION_FILTER = 'com.microsoft:session-filter';

/** What a link's address leads to. */
type Node =
  | { readonly kind: 'claims' }
  | { readonly kind: 'queue' | 'management'; readonly path: string; readonly queue: MessageQueue };

/** Serves one client: which links it may open, and what they do. */
export class ClientConnection {
  readonly #connection: RheaConnection;
  readonly #broker: Broker;
  readonly #claims: Claims;
  readonly #replyLinks = new ReplyLinks();
  readonly #transfers = new WeakMap<RheaSession, SessionTransfers>();
  readonly #consumers = new Map<RheaSender, () => void>();

  constructor(connection: RheaConnection, broker: Broker, claims: Claims) {
    this.#connection = connection;
    this.#broker = broker;
    this.#claims = claims;
  }

  accept(socket: Socket): void {
    const connection = this.#connection;
    connection.on('session_open', ({ session }: EventContext) => this.#transfersOf(session as RheaSession));
    connection.on('session_close', ({ session }: EventContext) =>
      this.#closeConsumers(session as RheaSession),
    );
    connection.on('sender_open', ({ sender }: EventContext) => this.#openSender(sender as RheaSender));
    connection.on('receiver_open', ({ receiver }: EventContext) =>
      this.#openReceiver(receiver as RheaReceiver),
    );
    connection.on('sender_close', ({ sender }: EventContext) => this.#closeConsumer(sender as RheaSender));
    // Without listeners rhea would throw what a client reports as the end of its own links and connections.
    for (const event of [
      'connection_error',
      'session_error',
      'sender_error',
      'receiver_error',
      'receiver_close',
    ]) {
      connection.on(event, () => {});
    }
    for (const event of ['disconnected', 'protocol_error', 'error', 'connection_close']) {
      connection.on(event, () => {});
    }
    answerReadsAtOnce(socket, connection);
    socket.on('close', () => {
      connection.eof();
      for (const close of this.#consumers.values()) close();
      this.#consumers.clear();
    });
    connection.accept(socket);
  }

  /** Ends the connection as the service does when it restarts. */
  close(): void {
    this.#connection.close({ condition: 'amqp:connection:forced', description: 'The emulator is stopping.' });
  }

  #transfersOf(session: RheaSession): SessionTransfers {
    let transfers = this.#transfers.get(session);
    if (transfers === undefined) {
      transfers = new SessionTransfers(session);
      this.#transfers.set(session, transfers);
    }
    return transfers;
  }

  /** The client receives on this link. */
  #openSender(link: RheaSender): void {
    this.#attach(link, () => {
      const { source } = link;
      const node = this.#resolve(source?.address);
      if (node.kind === 'queue') {
        requireReceiving(node.queue);
        if (source.filter?.[SESSION_FILTER] !== undefined) {
          throw notAllowed(
            'A sessionful message receiver cannot be created on an entity that does not require sessions.',
          );
        }
        link.local.attach.snd_settle_mode = link.snd_settle_mode;
        link.local.attach.rcv_settle_mode = link.rcv_settle_mode;
        const consumer = new ConsumerLink(link, node.queue, this.#transfersOf(link.session));
        this.#consumers.set(link, consumer.open());
      } else {
        this.#replyLinks.add(link, this.#transfersOf(link.session));
      }
      link.set_source(source);
      link.set_target(link.target ?? {});
    });
  }

  /** The client sends on this link. */
  #openReceiver(link: RheaReceiver): void {
    this.#attach(link, () => {
      const { target } = link;
      const node = this.#resolve(target.address);
      if (node.kind === 'queue') {
        requireSending(node.queue);
        link.local.attach.max_message_size = MAX_MESSAGE_SIZE;
        openProducerLink(link, node.queue, this.#transfersOf(link.session));
      } else {
        this.#serveRequests(link, (request) =>
          node.kind === 'claims' ? this.#putToken(request) : manage(node.queue, request),
        );
      }
      link.set_target(target);
      link.set_source(link.source ?? {});
    });
  }

  /** Refused as the protocol wants it: the link is attached without its terminus, then detached with the error. */
  #attach(link: RheaSender | RheaReceiver, open: () => void): void {
    try {
      open();
    } catch (error) {
      if (!(error instanceof ServiceBusError)) throw error;
      link.close({ condition: error.condition, description: error.message });
    }
  }

  #resolve(address: string | null | undefined): Node {
    if (!address) throw notImplemented('links without an address, such as those of transactions');
    const path = address.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/^\//, '');
    if (path.toLowerCase() === CBS) return { kind: 'claims' };
    const isManagement = path.toLowerCase().endsWith(MANAGEMENT_SUFFIX);
    const queuePath = isManagement ? path.slice(0, -MANAGEMENT_SUFFIX.length) : path;
    this.#claims.require(path);
    const queue = this.#broker.find(queuePath);
    if (queue === undefined) throw entityNotFound(queuePath);
    return { kind: isManagement ? 'management' : 'queue', path, queue };
  }

  #serveRequests(link: RheaReceiver, perform: (request: Request) => Reply | Promise<Reply>): void {
    link.on('message', ({ delivery, message }: EventContext) => {
      if (delivery === undefined || !Buffer.isBuffer(message)) return;
      delivery.update(true, acceptedState());
      void this.#answer(message, perform);
    });
  }

  async #answer(encoded: Buffer, perform: (request: Request) => Reply | Promise<Reply>): Promise<void> {
    const request = decodeRequest(encoded);
    try {
      this.#replyLinks.answer(request, await perform(request));
    } catch (error) {
      const known = error instanceof ServiceBusError;
      this.#replyLinks.answer(
        request,
        known ? error : new ServiceBusError('amqp:internal-error', 500, String(error)),
      );
    }
  }

  #putToken({ body, properties }: Request): Reply {
    if (properties.operation !== 'put-token') throw notImplemented('this operation of $cbs');
    if (typeof body !== 'string') throw invalidArgument('The token must be a string.');
    this.#claims.put(body, String(properties.type), String(properties.name));
    return { statusCode: 202, statusDescription: 'Accepted' };
  }

  #closeConsumers(session: RheaSession): void {
    for (const link of this.#consumers.keys()) {
      if (link.session === session) this.#closeConsumer(link);
    }
  }

  #closeConsumer(link: RheaSender): void {
    this.#consumers.get(link)?.();
    this.#consumers.delete(link);
  }
}

/**
 * The SDK leaves Nagle's algorithm on, so a client that sends while it receives holds its next frame back until the
 * last one is acknowledged, which the kernel delays by 40 ms unless there is something to send. An empty frame, the
 * protocol's heartbeat, is something to send.
 */
function answerReadsAtOnce(socket: Socket, connection: RheaConnection): void {
  let writtenBefore = 0;
  let isChecking = false;
  socket.on('data', () => {
    writtenBefore = socket.bytesWritten;
    if (isChecking) return;
    isChecking = true;
    setImmediate(() => {
      isChecking = false;
      const isSilent = socket.bytesWritten === writtenBefore;
      if (isSilent && socket.writable && connection.is_open()) connection._write_frame();
    });
  });
}
