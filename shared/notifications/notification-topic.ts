import type { ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import {
  BUS_SUBSCRIPTION,
  type Publication,
  type ToldChange,
  type UnpublishedChange,
} from '../webhooks/index.ts';
import { notificationMessage } from './notification-message.ts';
import { type LastingFault, lastingFault, sendChanges } from './send-changes.ts';

export interface NotificationTopicOptions {
  /** Gives the shared sender to the topic, which stays open. */
  readonly sender: () => Promise<ServiceBusSender>;
  readonly publicUrl: string | undefined;
}

const FAULTS: Readonly<Record<LastingFault, string>> = {
  full: 'The topic of notifications is full: one of its subscriptions is not read from.',
  missing: 'There is no topic of notifications.',
  disabled: 'The topic of notifications is disabled.',
  forbidden: 'This app may not send to the topic of notifications.',
};

/** The Service Bus topic on which everyone can hear of every change. */
export class NotificationTopic implements Publication {
  readonly id = BUS_SUBSCRIPTION;
  readonly #options: NotificationTopicOptions;

  constructor(options: NotificationTopicOptions) {
    this.#options = options;
  }

  /**
   * Publishes changes; those that were published before within the topic's window count once.
   *
   * @returns those that cannot be published as things stand: the topic is full or not there, or takes no message of that size.
   * @throws what the bus throws when it does not answer.
   */
  async publish(changes: readonly ToldChange[]): Promise<readonly UnpublishedChange[]> {
    return await sendChanges(changes, {
      sender: this.#options.sender,
      write: (told, withValues) => this.#write(told, withValues),
      explain(error) {
        const reason = lastingFault(error, FAULTS);
        return reason === undefined ? undefined : { reason };
      },
    });
  }

  #write(told: ToldChange, withValues: boolean): ServiceBusMessage {
    return notificationMessage(told, { withValues, publicUrl: this.#options.publicUrl });
  }
}
