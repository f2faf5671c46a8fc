import type { Socket } from 'node:net';
import rhea, { type EventContext, type Typed } from 'rhea';
import type { Broker } from '../broker/broker.ts';
import type { SessionSupply } from '../broker/consumer.ts';
import type { MessageQueue } from '../broker/message-queue.ts';
import type { Faults } from '../faults.ts';
import { entityNotFound, invalidArgument, notImplemented, ServiceBusError } from '../service-bus-error.ts';
import type { Claims } from './claims.ts';
import { ConsumerLink } from './consumer-link.ts';
import { requireReceiving, requireSending } from './entity-roles.ts';
import { FaultInjection } from './fault-injection.ts';
import { manage } from './management.ts';
import { MAX_MESSAGE_SIZE, openProducerLink } from './producer-link.ts';
import { decodeRequest, type Reply, ReplyLinks, type Request } from './reply-links.ts';
import {
  acceptedState,
  holdAttach,
  type RheaConnection,
  type RheaReceiver,
  type RheaSender,
  type RheaSession,
} from './rhea-internals.ts';
import { SessionTransfers } from './session-transfers.ts';

const CBS = '$cbs';
const MANAGEMENT_SUFFIX = '/$management';
const SESSION_FILTER = 'com.microsoft:session-filter';

/** How long a client waits for any session unless it says so, and how much sooner it is told (milliseconds). */
const SESSION_PATIENCE = 65_000;
const SESSION_PATIENCE_MARGIN = 200;

/** Without listeners rhea would throw what a client reports as the end of its own links and connections. */
const UNHEARD =
  `connection_error session_error sender_error receiver_error receiver_close disconnected protocol_error
  error connection_close`.split(/\s+/);

/** What a link's address leads to. */
type Node =
  | { readonly kind: 'claims' }
  | { readonly kind: 'queue' | 'management'; readonly queue: MessageQueue };

/** Serves one client: which links it may open, and what they do. */
export class ClientConnection {
  readonly #connection: RheaConnection;
  readonly #broker: Broker;
  readonly #claims: Claims;
  readonly #faults: Faults | undefined;
  #socket: Socket | undefined;
  readonly #replyLinks = new ReplyLinks();
  readonly #transfers = new Map<RheaSession, SessionTransfers>();
  readonly #consumers = new Map<RheaSender, () => void>();

  constructor(connection: RheaConnection, broker: Broker, claims: Claims, faults: Faults | undefined) {
    this.#connection = connection;
    this.#broker = broker;
    this.#claims = claims;
    this.#faults = faults;
  }

  accept(socket: Socket): void {
    const connection = this.#connection;
    this.#socket = socket;
    connection.on('session_open', ({ session }: EventContext) => this.#transfersOf(session as RheaSession));
    connection.on('session_close', ({ session }: EventContext) => this.#closeSession(session as RheaSession));
    connection.on('sender_open', ({ sender }: EventContext) => this.#openSender(sender as RheaSender));
    connection.on('sender_close', ({ sender }: EventContext) => this.#closeConsumer(sender as RheaSender));
    connection.on('receiver_open', ({ receiver }: EventContext) =>
      this.#openReceiver(receiver as RheaReceiver),
    );
    for (const event of UNHEARD) connection.on(event, () => {});
    const isAnswering = () => [...this.#transfers.values()].some((transfers) => transfers.isAnswering);
    answerReadsAtOnce(socket, connection, isAnswering);
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
    attempt(link, () => {
      const { source } = link;
      const node = this.#resolve(source?.address);
      link.set_target(link.target ?? {});
      if (node.kind === 'queue') this.#openConsumer(link, node.queue);
      else {
        this.#replyLinks.add(link, this.#transfersOf(link.session));
        link.set_source(source);
      }
    });
  }

  #openConsumer(link: RheaSender, queue: MessageQueue): void {
    requireReceiving(queue);
    const { source } = link;
    link.local.attach.snd_settle_mode = link.snd_settle_mode;
    link.local.attach.rcv_settle_mode = link.rcv_settle_mode;
    const consumer = new ConsumerLink(
      link,
      queue,
      this.#transfersOf(link.session),
      this.#faultsOn(link, queue),
    );
    const sessionId: unknown = source.filter?.[SESSION_FILTER];
    if (sessionId === null) void this.#openNextSession(link, consumer, queue);
    else if (typeof sessionId === 'string') {
      this.#openSession(link, consumer, queue.acceptSession(consumer, sessionId));
    } else {
      const supply = queue.subscribe(consumer);
      this.#consumers.set(link, () => supply.end());
      link.set_source(source);
      consumer.open(supply);
    }
  }

  /** Any session will do: the link is attached when one was free. */
  async #openNextSession(link: RheaSender, consumer: ConsumerLink, queue: MessageQueue): Promise<void> {
    const attach = holdAttach(link);
    const left = new AbortController();
    let hasWaited = false;
    setImmediate(() => {
      hasWaited = true;
    });
    this.#consumers.set(link, () => {
      left.abort();
      // rhea attaches a link that it left before it was attached once more, and leaves it at once. Answered, it would
      // do so again and again.
      if (hasWaited) attach();
    });
    try {
      const supply = await queue.acceptNextSession(consumer, patienceOf(link), left.signal);
      if (left.signal.aborted) {
        supply.end();
        return;
      }
      this.#openSession(link, consumer, supply);
    } catch (error) {
      if (left.signal.aborted) return;
      refuse(link, error);
    }
    attach();
  }

  #openSession(link: RheaSender, consumer: ConsumerLink, supply: SessionSupply): void {
    this.#consumers.set(link, () => supply.end());
    link.local.attach.properties = { 'com.microsoft:locked-until-utc': toTicks(supply.lockedUntil) };
    link.set_source({ address: link.source.address, filter: { [SESSION_FILTER]: supply.sessionId } });
    consumer.open(supply);
  }

  /** The client sends on this link. */
  #openReceiver(link: RheaReceiver): void {
    attempt(link, () => {
      const { target } = link;
      const node = this.#resolve(target.address);
      if (node.kind === 'queue') {
        requireSending(node.queue);
        link.local.attach.max_message_size = MAX_MESSAGE_SIZE;
        const faults = this.#faultsOn(link, node.queue);
        openProducerLink(link, node.queue, this.#transfersOf(link.session), faults);
      } else {
        this.#serveRequests(link, (request) =>
          node.kind === 'claims'
            ? this.#putToken(request)
            : manage(node.queue, request, this.#faultsOn(link, node.queue)),
        );
      }
      link.set_target(target);
      link.set_source(link.source ?? {});
    });
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
    return { kind: isManagement ? 'management' : 'queue', queue };
  }

  #faultsOn(link: RheaSender | RheaReceiver, queue: MessageQueue): FaultInjection | undefined {
    const dropConnection = () => this.#socket?.destroy();
    return this.#faults && new FaultInjection(this.#faults, queue.name, link, dropConnection);
  }

  #serveRequests(link: RheaReceiver, perform: (request: Request) => Reply | Promise<Reply>): void {
    link.on('message', ({ delivery, message }: EventContext) => {
      if (delivery === undefined || !Buffer.isBuffer(message)) return;
      attempt(link, () => {
        const request = decodeRequest(message);
        delivery.update(true, acceptedState());
        void this.#answer(request, perform);
      });
    });
  }

  async #answer(request: Request, perform: (request: Request) => Reply | Promise<Reply>): Promise<void> {
    try {
      this.#replyLinks.answer(request, await perform(request));
    } catch (error) {
      const known = error instanceof ServiceBusError;
      const outcome = known ? error : new ServiceBusError('amqp:internal-error', 500, String(error));
      this.#replyLinks.answer(request, outcome);
    }
  }

  #putToken({ body, properties }: Request): Reply {
    if (properties.operation !== 'put-token') throw notImplemented('this operation of $cbs');
    if (typeof body !== 'string') throw invalidArgument('The token must be a string.');
    this.#claims.put(body, String(properties.type), String(properties.name));
    return { statusCode: 202, statusDescription: 'Accepted' };
  }

  #closeSession(session: RheaSession): void {
    this.#transfers.delete(session);
    for (const link of this.#consumers.keys()) {
      if (link.session === session) this.#closeConsumer(link);
    }
  }

  #closeConsumer(link: RheaSender): void {
    this.#consumers.get(link)?.();
    this.#consumers.delete(link);
  }
}

/** What cannot be done on a link is refused by its end. */
function attempt(link: RheaSender | RheaReceiver, work: () => void): void {
  try {
    work();
  } catch (error) {
    refuse(link, error);
  }
}

/** As the protocol wants it: a link that is not attached yet is attached without its terminus, then detached. */
function refuse(link: RheaSender | RheaReceiver, error: unknown): void {
  if (!(error instanceof ServiceBusError)) throw error;
  link.close({ condition: error.condition, description: error.message });
}

function patienceOf({ properties }: RheaSender): number {
  const timeout: unknown = properties?.['com.microsoft:timeout'];
  return Math.max(0, (typeof timeout === 'number' ? timeout : SESSION_PATIENCE) - SESSION_PATIENCE_MARGIN);
}

/** .NET's time: units of 100 ns since the year 1, more than a number holds exactly. */
function toTicks(milliseconds: number): Typed {
  const ticks = Buffer.alloc(8);
  ticks.writeBigInt64BE((BigInt(milliseconds) + 62_135_596_800_000n) * 10_000n);
  return rhea.types.wrap_long(ticks);
}

/**
 * The SDK leaves Nagle's algorithm on, so a client that sends while it receives holds its next frame back until the
 * last one is acknowledged, which the kernel delays by 40 ms unless there is something to send. An empty frame, the
 * protocol's heartbeat, is something to send where no answer follows at once.
 */
function answerReadsAtOnce(socket: Socket, connection: RheaConnection, isAnswering: () => boolean): void {
  let writtenBefore = 0;
  let isChecking = false;
  socket.on('data', () => {
    writtenBefore = socket.bytesWritten;
    if (isChecking) return;
    isChecking = true;
    setImmediate(() => {
      isChecking = false;
      const isSilent = socket.bytesWritten === writtenBefore && !isAnswering();
      if (isSilent && socket.writable && connection.is_open()) connection._write_frame();
    });
  });
}
