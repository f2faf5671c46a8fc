import type {
  ServiceBusClient,
  ServiceBusMessage,
  ServiceBusReceivedMessage,
  ServiceBusReceiver,
  ServiceBusSender,
} from '@azure/service-bus';
import type Long from 'long';
import { invalid, unavailable } from '../../platform/errors.ts';
import { SERVICE_BUS_QUEUES } from '../../platform/topology.ts';
import { parseScopeId } from '../../records/index.ts';
import { parseQueueMessage } from '../delivery/queue-message.ts';

/** A message that the broker gave up: its handler failed or died each time, or could not read it. */
export interface BrokerDeadLetter {
  /** Of the broker, in decimal digits. */
  readonly sequenceNumber: string;
  readonly messageId?: string;
  /** RFC 3339, UTC. */
  readonly enqueuedAt?: string;
  readonly reason?: string;
  readonly description?: string;
  readonly body: unknown;
}

export interface BrokerDeadLetterPage {
  readonly messages: readonly BrokerDeadLetter[];
  /** Sequence number behind which there may be more. */
  readonly next?: string;
}

/** What a call did to the messages that it found. */
export interface BrokerOutcome {
  readonly count: number;
  /** Whether there may be more, for another call. */
  readonly more: boolean;
}

/** Messages of all namespaces that one call looks through to show some, and those of its own that one moves. */
const MAX_AT_A_TIME = 500;
/** Messages of other namespaces that a call passes over to find its own, which stand behind them each time. */
const MAX_OTHERS = 5_000;
const BATCH = 100;
/** How long to wait for a message: those that are there come at once. */
const WAIT_MILLISECONDS = 500;
const CALL_TIMEOUT_MILLISECONDS = 20_000;
/** A message that names no namespace is shown in this one. */
const HOME_OF_UNREADABLE = 'default';

/**
 * The dead letters that the broker itself keeps of the queue `deliveries`, which hold messages of all namespaces: each sees, and
 * touches, its own alone.
 *
 * All methods throw SkerryError `unavailable` when the bus does not answer.
 */
export class BrokerDeadLetters {
  readonly #client: () => Promise<ServiceBusClient>;
  readonly #sender: () => Promise<ServiceBusSender>;

  /** @param sender gives the shared sender to the queue, which stays open. */
  constructor(client: () => Promise<ServiceBusClient>, sender: () => Promise<ServiceBusSender>) {
    this.#client = client;
    this.#sender = sender;
  }

  /**
   * Shows messages, the oldest first, and leaves them where they are. A page may hold fewer than its limit, none too, and yet
   * name a next one.
   *
   * @throws SkerryError `invalid` when `after` is no sequence number.
   */
  async peek(
    ns: string,
    { limit, after = '0' }: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<BrokerDeadLetterPage> {
    if (!SEQUENCE_NUMBER.test(after)) {
      throw invalid('"after" is not a cursor of this listing.', {
        field: 'after',
        fix: 'Take it from "next" of the page before, or leave it out.',
      });
    }
    return await this.#receiving(async (receiver) => {
      const messages: BrokerDeadLetter[] = [];
      // The type of numbers that the SDK takes; loaded here, since hardly any process needs it.
      const { default: Long } = await import('long');
      let from: Long | undefined = Long.fromString(after).add(1);
      for (let looked = 0; from !== undefined && looked < MAX_AT_A_TIME && messages.length < limit; ) {
        const count = Math.min(BATCH, limit - messages.length);
        const found = await receiver.peekMessages(count, { fromSequenceNumber: from, ...timeLimit() });
        messages.push(...found.filter((message) => namespaceOf(message) === ns).map(describe));
        from = found.at(-1)?.sequenceNumber?.add(1);
        looked += found.length;
      }
      return { messages, ...(from !== undefined && { next: String(from.subtract(1)) }) };
    });
  }

  /** Sends messages to the queue once more, each before it is removed here: killed in between, it is sent again under the same id. */
  async drain(ns: string): Promise<BrokerOutcome> {
    const sender = await this.#sender();
    return await this.#take(ns, async (receiver, message) => {
      await sender.sendMessages(renewed(message), timeLimit());
      await receiver.completeMessage(message);
    });
  }

  /** Removes messages for good. */
  async purge(ns: string): Promise<BrokerOutcome> {
    return await this.#take(ns, async (receiver, message) => await receiver.completeMessage(message));
  }

  /** Those of other namespaces stay locked until all are looked at, lest they come again, and are left then. */
  async #take(
    ns: string,
    handle: (receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) => Promise<void>,
  ): Promise<BrokerOutcome> {
    return await this.#receiving(async (receiver) => {
      const others: ServiceBusReceivedMessage[] = [];
      let count = 0;
      let isEmpty = false;
      while (!isEmpty && count < MAX_AT_A_TIME && others.length < MAX_OTHERS) {
        const found = await receiver.receiveMessages(BATCH, {
          maxWaitTimeInMs: WAIT_MILLISECONDS,
          ...timeLimit(),
        });
        const own = found.filter((message) => namespaceOf(message) === ns);
        others.push(...found.filter((message) => !own.includes(message)));
        await Promise.all(own.map((message) => handle(receiver, message)));
        count += own.length;
        isEmpty = found.length === 0;
      }
      await Promise.all(others.map((message) => receiver.abandonMessage(message)));
      return { count, more: !isEmpty };
    });
  }

  async #receiving<Answer>(work: (receiver: ServiceBusReceiver) => Promise<Answer>): Promise<Answer> {
    const client = await this.#client();
    const receiver = client.createReceiver(SERVICE_BUS_QUEUES.deliveries.name, {
      subQueueType: 'deadLetter',
    });
    try {
      return await work(receiver);
    } catch (error) {
      throw unavailable('The bus does not answer at the moment.', {
        fix: 'Try again; what was moved or removed before stays so.',
        cause: error,
      });
    } finally {
      await receiver.close();
    }
  }
}

const SEQUENCE_NUMBER = /^\d{1,19}$/;

function timeLimit(): { abortSignal: AbortSignal } {
  return { abortSignal: AbortSignal.timeout(CALL_TIMEOUT_MILLISECONDS) };
}

function describe(message: ServiceBusReceivedMessage): BrokerDeadLetter {
  const { sequenceNumber, messageId, enqueuedTimeUtc, body } = message;
  const { deadLetterReason, deadLetterErrorDescription } = message;
  return {
    sequenceNumber: String(sequenceNumber),
    ...(messageId !== undefined && { messageId: String(messageId) }),
    ...(enqueuedTimeUtc !== undefined && { enqueuedAt: enqueuedTimeUtc.toISOString() }),
    ...(deadLetterReason !== undefined && { reason: deadLetterReason }),
    ...(deadLetterErrorDescription !== undefined && { description: deadLetterErrorDescription }),
    body: Buffer.isBuffer(body) ? body.toString() : body,
  };
}

/** The id of its own is new to the queue, which drops the old one for ten minutes, and the same however often it is sent. */
function renewed(message: ServiceBusReceivedMessage): ServiceBusMessage {
  const { body, contentType, messageId, sequenceNumber } = message;
  return {
    body,
    messageId: `${messageId ?? ''}:d${sequenceNumber}`.slice(-MAX_ID_CHARACTERS),
    ...(contentType !== undefined && { contentType }),
  };
}

/** Of Service Bus. */
const MAX_ID_CHARACTERS = 128;

function namespaceOf({ body }: ServiceBusReceivedMessage): string {
  try {
    const message = parseQueueMessage(body);
    return 'ns' in message ? message.ns : parseScopeId(message.scope).ns;
  } catch {
    return HOME_OF_UNREADABLE;
  }
}
