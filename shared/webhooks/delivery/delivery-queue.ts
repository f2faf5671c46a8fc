import type { ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import { askServiceBus, scheduleMessage, sendInBatches } from '../../platform/servicebus.ts';
import { currentTraceparent, traceProperties } from '../../platform/telemetry/index.ts';
import { messageId, type QueueMessage } from './queue-message.ts';

export type Traces = ReadonlyMap<QueueMessage, string>;

/** The way of deliveries over the bus. All methods throw SkerryError `unavailable` when the bus does not answer. */
export interface DeliveryQueue {
  /**
   * Sends messages; those that were sent before within the queue's window count once.
   *
   * @param traces `traceparent` of messages that are not on behalf of what runs here.
   * @returns those that can never be sent, because one of them alone is too large for the bus.
   */
  send<Message extends QueueMessage>(
    messages: readonly Message[],
    traces?: Traces,
  ): Promise<readonly Message[]>;
  /** Sends a message that arrives no earlier than `at`, in milliseconds since the Unix epoch. */
  schedule(message: QueueMessage, at: number): Promise<void>;
}

export class ServiceBusDeliveryQueue implements DeliveryQueue {
  readonly #sender: () => Promise<ServiceBusSender>;

  /** @param sender gives the shared sender to the queue, which stays open. */
  constructor(sender: () => Promise<ServiceBusSender>) {
    this.#sender = sender;
  }

  async send<Message extends QueueMessage>(
    messages: readonly Message[],
    traces?: Traces,
  ): Promise<readonly Message[]> {
    const encode = (message: Message) => toServiceBusMessage(message, traces?.get(message));
    return await askServiceBus(() => sendInBatches(this.#sender, messages, { encode }));
  }

  async schedule(message: QueueMessage, at: number): Promise<void> {
    await askServiceBus(() => scheduleMessage(this.#sender, toServiceBusMessage(message), at));
  }
}

function toServiceBusMessage(
  message: QueueMessage,
  traceparent: string | undefined = currentTraceparent(),
): ServiceBusMessage {
  return {
    body: message,
    messageId: messageId(message),
    contentType: 'application/json',
    ...traceProperties(traceparent),
  };
}
