import type { ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import { isUnavailable } from '../platform/errors.ts';
import { askServiceBus, scheduleMessage, sendDeadline, sendInBatches } from '../platform/servicebus.ts';
import { currentTraceparent, parseTraceparent, traceProperties } from '../platform/telemetry/index.ts';
import type { Command } from './command.ts';
import { type StepMessage, stepMessageId } from './step-message.ts';

/** The way of operations over the bus. All methods throw SkerryError `unavailable` when the bus does not answer. */
export interface OperationQueues {
  /** Sends messages to the queue `steps`; those that were sent before within the queue's window count once. */
  send(messages: readonly StepMessage[]): Promise<void>;
  /** Sends a message that arrives no earlier than `at`, in milliseconds since the Unix epoch. */
  schedule(message: StepMessage, at: number): Promise<void>;
  /** Sends a command as anybody else would. */
  sendCommand(command: Command, ids: { readonly session: string; readonly operation: string }): Promise<void>;
}

export interface ServiceBusOperationQueuesOptions {
  /** Give the shared senders to the queues, which stay open. */
  readonly steps: () => Promise<ServiceBusSender>;
  readonly commands: () => Promise<ServiceBusSender>;
}

export class ServiceBusOperationQueues implements OperationQueues {
  readonly #options: ServiceBusOperationQueuesOptions;

  constructor(options: ServiceBusOperationQueuesOptions) {
    this.#options = options;
  }

  async send(messages: readonly StepMessage[]): Promise<void> {
    await askServiceBus(() => sendInBatches(this.#options.steps, messages, { encode: toServiceBusMessage }));
  }

  async schedule(message: StepMessage, at: number): Promise<void> {
    await askServiceBus(() => scheduleMessage(this.#options.steps, toServiceBusMessage(message), at));
  }

  async sendCommand(
    { actor: _, roles: __, ...event }: Command,
    { session, operation }: { readonly session: string; readonly operation: string },
  ): Promise<void> {
    await askServiceBus(async () => {
      const sender = await this.#options.commands();
      await sender.sendMessages(
        {
          body: event,
          messageId: operation,
          sessionId: session,
          contentType: 'application/cloudevents+json',
          // The sender's word, which the bus is to carry only where it is a trace.
          ...(parseTraceparent(event.traceparent) && traceProperties(event.traceparent)),
        },
        sendDeadline(),
      );
    });
  }
}

/** What a message would have hastened happens all the same: the alarm asks for it too. */
export function leftToTheAlarm(error: unknown): void {
  if (!isUnavailable(error)) throw error;
}

function toServiceBusMessage(message: StepMessage): ServiceBusMessage {
  return {
    body: message,
    messageId: stepMessageId(message),
    contentType: 'application/json',
    ...traceProperties(currentTraceparent()),
  };
}
