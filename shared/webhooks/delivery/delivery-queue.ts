import type { ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import { messageId, type QueueMessage } from './queue-message.ts';

/** The SDK alone would wait for a minute, several times over. */
const SEND_TIMEOUT_MILLISECONDS = 20_000;

/** The way of deliveries over the bus. All methods throw when the bus does not answer. */
export interface DeliveryQueue {
  /**
   * Sends messages; those that were sent before within the queue's window count once.
   *
   * @returns those that can never be sent, because one of them alone is too large for the bus.
   */
  send<Message extends QueueMessage>(messages: readonly Message[]): Promise<readonly Message[]>;
  /** Sends a message that arrives no earlier than `at`, in milliseconds since the Unix epoch. */
  schedule(message: QueueMessage, at: number): Promise<void>;
}

export class ServiceBusDeliveryQueue implements DeliveryQueue {
  readonly #sender: () => Promise<ServiceBusSender>;

  /** @param sender gives the shared sender to the queue, which stays open. */
  constructor(sender: () => Promise<ServiceBusSender>) {
    this.#sender = sender;
  }

  async send<Message extends QueueMessage>(messages: readonly Message[]): Promise<readonly Message[]> {
    if (messages.length === 0) {
      return [];
    }
    const sender = await this.#sender();
    const refused: Message[] = [];
    let batch = await sender.createMessageBatch(deadline());
    for (const message of messages) {
      const encoded = toServiceBusMessage(message);
      if (batch.tryAddMessage(encoded)) {
        continue;
      }
      if (batch.count > 0) {
        await sender.sendMessages(batch, deadline());
        batch = await sender.createMessageBatch(deadline());
      }
      if (!batch.tryAddMessage(encoded)) {
        refused.push(message);
      }
    }
    if (batch.count > 0) {
      await sender.sendMessages(batch, deadline());
    }
    return refused;
  }

  async schedule(message: QueueMessage, at: number): Promise<void> {
    const sender = await this.#sender();
    await sender.scheduleMessages(toServiceBusMessage(message), new Date(at), deadline());
  }
}

function deadline(): { abortSignal: AbortSignal } {
  return { abortSignal: AbortSignal.timeout(SEND_TIMEOUT_MILLISECONDS) };
}

function toServiceBusMessage(message: QueueMessage): ServiceBusMessage {
  return { body: message, messageId: messageId(message), contentType: 'application/json' };
}
