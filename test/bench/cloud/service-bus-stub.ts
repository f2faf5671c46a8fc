/**
 * A floor for the Service Bus emulator: `node service-bus-stub.ts MESSAGES_IN_A_BATCH`. It accepts everything at once and
 * delivers as many messages as it was sent, always the same one; nothing is read, kept or timed. Locks, settlements and
 * scheduling are answered as the service answers when all goes well.
 */
import type { AddressInfo } from 'node:net';
import rhea, {
  type Connection,
  type Delivery,
  type EventContext,
  type Receiver,
  type Sender,
  type Session,
} from 'rhea';
import { reportToBench } from './report-to-bench.ts';

/** What rhea has and its typings leave out. */
interface ConnectionInternals extends Connection {
  /** Without arguments: an empty frame. */
  _write_frame(): void;
}
interface LinkInternals {
  readonly credit: number;
  readonly local: {
    readonly attach: { snd_settle_mode?: number; rcv_settle_mode?: number; max_message_size?: number };
  };
}
interface SessionInternals extends Session {
  readonly outgoing: { available(): number };
  on_transfer(frame: { performative: { message_format?: number } }): void;
}
interface MessageInternals {
  accepted(): { described(): unknown };
}

/** Any format but 0, which rhea would decode. */
const RAW_FORMAT = 1;
const BATCH_FORMAT = 0x80013700;
const MAX_MESSAGE_SIZE = 256 * 1024;
const LONG = 0x81;

const messagesInBatch = Number(process.argv[2]);
const acceptedState = (rhea.message as typeof rhea.message & MessageInternals).accepted().described();
const message = rhea.message.encode({
  durable: true,
  delivery_count: 0,
  message_annotations: {
    'x-opt-enqueued-time': rhea.types.wrap_timestamp(Date.now()),
    'x-opt-sequence-number': rhea.types.wrap_long(1),
    'x-opt-enqueue-sequence-number': rhea.types.wrap_long(0),
    'x-opt-message-state': rhea.types.wrap_int(0),
    'x-opt-locked-until': rhea.types.wrap_timestamp(Date.now() + 3_600_000),
  },
  message_id: 'a message like all others',
  content_type: 'application/json',
  body: rhea.message.data_section(Buffer.from(JSON.stringify({ text: 'x'.repeat(700) }))),
});
let stock = 0;

const container = rhea.create_container({ id: 'instant', tcp_no_delay: true });
container.sasl_server_mechanisms.enable_anonymous();
const replyLinks = new Map<unknown, Sender>();

container.on('connection_open', ({ connection }: EventContext) =>
  answerReads(connection as ConnectionInternals),
);

container.on('session_open', ({ session }: EventContext) => {
  const internals = session as SessionInternals;
  const onTransfer = internals.on_transfer.bind(internals);
  internals.on_transfer = (frame) => {
    frame.performative.message_format ||= RAW_FORMAT;
    onTransfer(frame);
  };
});

container.on('sender_open', ({ sender }: EventContext) => {
  if (sender === undefined) return;
  const { attach } = (sender as Sender & LinkInternals).local;
  attach.snd_settle_mode = sender.snd_settle_mode;
  attach.rcv_settle_mode = sender.rcv_settle_mode;
  sender.set_source(sender.source);
  sender.set_target(sender.target ?? {});
  if (isRequestNode(sender.source?.address)) {
    replyLinks.set(sender.name, sender);
    replyLinks.set(sender.target?.address, sender);
  } else {
    sender.on('sendable', () => deliver(sender as Sender & LinkInternals));
    sender.on('accepted', ({ delivery }: EventContext) => complete(delivery));
    sender.on('sender_draining', () => sender.set_drained(true));
  }
});

container.on('receiver_open', ({ receiver }: EventContext) => {
  if (receiver === undefined) return;
  (receiver as Receiver & LinkInternals).local.attach.max_message_size = MAX_MESSAGE_SIZE;
  receiver.set_target(receiver.target);
  receiver.set_source(receiver.source ?? {});
  const isRequests = isRequestNode(receiver.target?.address);
  receiver.on('message', ({ message: encoded, delivery }: EventContext) => {
    if (isRequests) reply(encoded as unknown as Buffer);
    else stock += delivery?.format === BATCH_FORMAT ? messagesInBatch : 1;
  });
});

/** Something to send after every read, or the SDK, which does not turn Nagle's algorithm off, waits 40 ms for the kernel. */
function answerReads(connection: ConnectionInternals): void {
  const { socket } = connection;
  socket.on('data', () => {
    const { bytesWritten } = socket;
    setImmediate(() => {
      if (socket.bytesWritten === bytesWritten && socket.writable) connection._write_frame();
    });
  });
}

function isRequestNode(address: string | null | undefined): boolean {
  return /\$(cbs|management)$/.test(address ?? '');
}

function deliver(sender: Sender & LinkInternals): void {
  const room = Math.min(sender.credit, (sender.session as SessionInternals).outgoing.available(), stock);
  for (let count = 0; count < room; count += 1) {
    sender.send(message, crypto.getRandomValues(Buffer.alloc(16)), 0);
  }
  stock -= Math.max(room, 0);
}

function complete(delivery: Delivery | undefined): void {
  if (delivery === undefined) return;
  delivery.update(true, acceptedState);
  // The SDK does not answer an answer; without this rhea would keep the delivery and stop after 2,048 of them.
  (delivery as { remote_settled: boolean }).remote_settled = true;
}

/** Right for a token, for scheduling one message and for cancelling some. */
function reply(encoded: Buffer): void {
  const { message_id, reply_to } = rhea.message.decode(encoded);
  const status = rhea.types.wrap_int(200);
  replyLinks.get(reply_to)?.send({
    correlation_id: message_id,
    application_properties: { statusCode: status, 'status-code': status, statusDescription: 'OK' },
    body: { 'sequence-numbers': rhea.types.wrap_array([1], LONG, undefined) },
  });
}

const server = container.listen({
  port: 0,
  host: '127.0.0.1',
  max_frame_size: 64 * 1024,
  idle_time_out: 240_000,
  receiver_options: { credit_window: 2000 },
});
server.on('listening', () => {
  const { port } = server.address() as AddressInfo;
  reportToBench(
    `Endpoint=sb://127.0.0.1:${port};SharedAccessKeyName=bench;SharedAccessKey=bench;UseDevelopmentEmulator=true;`,
  );
});
