import rhea from 'rhea';
import { ServiceBusError } from '../service-bus-error.ts';
import { DecodeError } from './encoding.ts';
import type { RheaSender } from './rhea-internals.ts';
import type { SessionTransfers } from './session-transfers.ts';

/** A decoded request on `$cbs` or a `$management` node. */
export interface Request {
  readonly messageId: unknown;
  readonly replyTo: unknown;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** Throws a `ServiceBusError` when the bytes are no message. */
export function decodeRequest(encoded: Buffer): Request {
  const message = decodeMessage(encoded);
  return {
    messageId: message.message_id,
    replyTo: message.reply_to,
    properties: message.application_properties ?? {},
    body: message.body,
  };
}

function decodeMessage(encoded: Buffer) {
  try {
    return rhea.message.decode(encoded);
  } catch (error) {
    throw new DecodeError(String(error));
  }
}

/** The answer to a request on `$cbs` or a `$management` node. */
export interface Reply {
  readonly statusCode: number;
  readonly statusDescription: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

interface ReplyLink {
  readonly link: RheaSender;
  readonly transfers: SessionTransfers;
  readonly waiting: Buffer[];
}

/** The links on which a client waits for replies, found by the address that its requests name. */
export class ReplyLinks {
  readonly #links = new Set<ReplyLink>();

  add(link: RheaSender, transfers: SessionTransfers): void {
    const replyLink: ReplyLink = { link, transfers, waiting: [] };
    this.#links.add(replyLink);
    link.on('sender_flow', () => flush(replyLink));
    link.on('sender_close', () => this.#links.delete(replyLink));
  }

  /** Sends the reply to `request`; a client that has gone gets none. */
  answer(request: Request, outcome: Reply | ServiceBusError): void {
    const replyLink = this.#find(request.replyTo);
    if (replyLink === undefined) return;
    replyLink.waiting.push(encodeReply(request, outcome));
    flush(replyLink);
  }

  #find(address: unknown): ReplyLink | undefined {
    const links = [...this.#links].filter(({ link }) => link.is_open());
    return links.find(({ link }) => link.name === address || link.target?.address === address);
  }
}

function flush({ link, transfers, waiting }: ReplyLink): void {
  while (waiting.length > 0 && transfers.creditOf(link) > 0) {
    const encoded = waiting.shift();
    if (encoded !== undefined) transfers.sendSettled(link, Buffer.alloc(0), encoded);
  }
}

/** Newer and older clients look for differently written names of the same fields. */
function encodeReply(request: Request, outcome: Reply | ServiceBusError): Buffer {
  const failed = outcome instanceof ServiceBusError;
  const statusCode = rhea.types.wrap_int(outcome.statusCode);
  const statusDescription = failed ? outcome.message : outcome.statusDescription;
  const errorCondition = failed ? rhea.types.wrap_symbol(outcome.condition) : undefined;
  return rhea.message.encode({
    correlation_id: request.messageId,
    application_properties: {
      statusCode,
      statusDescription,
      'status-code': statusCode,
      'status-description': statusDescription,
      ...(errorCondition && { errorCondition, 'error-condition': errorCondition }),
    },
    body: failed ? undefined : outcome.body,
  });
}
