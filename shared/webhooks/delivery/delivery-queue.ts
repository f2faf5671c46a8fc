import type { ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import { askServiceBus, scheduleMessage, sendInBatches } from '../../platform/servicebus.ts';
import { messageId, type QueueMessage } from './queue-message.ts';

/** The way of deliveries over the bus. All methods throw SkerryError `unavailable` when the bus does not answer. */
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
    return await askServiceBus(() => sendInBatches(this.#sender, messages, { encode: toServiceBusMessage }));
  }

  async schedule(message: QueueMessage, at: number): Promise<void> {
    await askServiceBus(() => scheduleMessage(this.#sender, toServiceBusMessage(message), at));
  }
}

function toServiceBusMessage(message: QueueMessage): ServiceBusMessage {
  return { body: message, messageId: messageId(message), contentType: 'application/json' };
}
