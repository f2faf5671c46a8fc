import rhea, {
  type Connection,
  type Delivery,
  type Receiver,
  type Sender,
  type Session,
  type Typed,
} from 'rhea';

/**
 * The parts of rhea 3.0.5 that its typings leave out and a broker needs, because rhea is made for clients first.
 * The version is pinned exactly; the conformance suite notices when one of these changes.
 */

export interface RheaConnection extends Connection {
  /** Queues a frame; without arguments an empty one, the protocol's heartbeat. */
  _write_frame(channel?: number): void;
  /** Has the endpoints flushed at the end of this turn of the event loop. */
  _register(): void;
  accept(socket: NodeJS.ReadWriteStream): void;
  /** Ends the connection's timers. */
  eof(): void;
}

export interface RheaSender extends Sender {
  readonly credit: number;
  readonly local: LocalEndpoint;
  readonly session: RheaSession;
  readonly connection: RheaConnection;
  _draining: boolean;
  delivery_count: number;
  /** Writes the frames that the link owes. */
  _process(): void;
  _get_drain(): boolean;
}

export interface RheaReceiver extends Receiver {
  readonly session: RheaSession;
  readonly local: LocalEndpoint;
}

interface LocalEndpoint {
  readonly attach: {
    snd_settle_mode?: number;
    rcv_settle_mode?: number;
    max_message_size?: number;
    properties?: Readonly<Record<string, unknown>>;
  };
}

export interface RheaSession extends Session {
  readonly connection: RheaConnection;
  on_transfer(frame: { performative: TransferFrame }): void;
  on_disposition(frame: { performative: DispositionFrame }): void;
  on_detach(frame: object): void;
  on_end(frame: object): void;
  _get_link(frame: object): Sender | Receiver;
  each_sender(action: (link: RheaSender) => void): void;
  readonly outgoing: {
    /** Deliveries with a lower id are on the wire. */
    readonly next_pending_delivery: number;
    available(): number;
    update(delivery: AnsweredDelivery, settled: boolean, state: Typed): void;
  };
}

export interface TransferFrame {
  message_format?: number;
}

export interface DispositionFrame {
  /** True when the peer is the receiver of the deliveries. */
  readonly role: boolean;
  readonly first: number;
  readonly last?: number | null;
  readonly settled?: boolean | null;
  readonly state?: Typed | null;
}

/** What rhea needs of a delivery to write a disposition for it. */
export interface AnsweredDelivery {
  readonly id: number;
  readonly link: Sender;
  readonly remote_settled: false;
  settled: boolean;
}

/** rhea's deliveries as it keeps them in the buffers of a session. */
export type RheaDelivery = { -readonly [Key in keyof Delivery]: Delivery[Key] };

interface Described {
  described(): Typed;
}

interface RheaMessages {
  accepted(): Described;
  rejected(fields: { error: { condition: string; description: string } }): Described;
}

interface RheaTypes {
  Writer: new () => { write(value: Typed): void; toBuffer(): Buffer };
}

const { accepted, rejected } = rhea.message as typeof rhea.message & RheaMessages;
const { Writer } = rhea.types as typeof rhea.types & RheaTypes;

export function acceptedState(): Typed {
  return accepted().described();
}

export function rejectedState(condition: string, description: string): Typed {
  return rejected({ error: { condition, description } }).described();
}

/** Answers the link's attach only when the answer is called, and keeps the order of what else the link owes. */
export function holdAttach(link: RheaSender): () => void {
  const process = link._process.bind(link);
  link._process = () => {};
  return () => {
    link._process = process;
    link.connection._register();
  };
}

/** Encodes a value that rhea read, with its type as it was. */
export function encodeTyped(value: Typed): Buffer {
  const writer = new Writer();
  writer.write(value);
  return writer.toBuffer();
}
