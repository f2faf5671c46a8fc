import type { ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import { sendInBatches } from '../platform/servicebus.ts';
import type { ToldChange } from '../webhooks/index.ts';
import { notificationMessage } from './notification-message.ts';

export interface NotificationTopicOptions {
  /** Gives the shared sender to the topic, which stays open. */
  readonly sender: () => Promise<ServiceBusSender>;
  readonly publicUrl: string | undefined;
}

/** A change that the topic does not take as things stand. */
export interface UnpublishedChange {
  readonly told: ToldChange;
  readonly reason: string;
}

interface Written {
  readonly told: ToldChange;
  readonly message: ServiceBusMessage;
}

/** Codes of ServiceBusError that name what stays as it is until somebody does something about the topic. */
const LASTING: ReadonlyMap<string, string> = new Map([
  ['QuotaExceeded', 'The topic of notifications is full: one of its subscriptions is not read from.'],
  ['MessagingEntityNotFound', 'There is no topic of notifications.'],
  ['MessagingEntityDisabled', 'The topic of notifications is disabled.'],
  ['UnauthorizedAccess', 'This app may not send to the topic of notifications.'],
]);

/** The Service Bus topic on which everyone can hear of every change. */
export class NotificationTopic {
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
    const unpublished: UnpublishedChange[] = [];
    const giveUp = (told: ToldChange, reason: string) => unpublished.push({ told, reason });
    const write = (told: ToldChange, withValues: boolean): Written[] => {
      try {
        return [{ told, message: this.#write(told, withValues) }];
      } catch (error) {
        giveUp(told, `It cannot be written as an event: ${String(error)}`);
        return [];
      }
    };
    const send = (all: readonly Written[]) =>
      sendInBatches(this.#options.sender, all, {
        encode: ({ message }) => message,
        onFault(error, unsent) {
          const reason = lastingFault(error);
          if (reason === undefined) {
            throw error;
          }
          for (const { told } of unsent) giveUp(told, reason);
        },
      });
    const large = await send(changes.flatMap((told) => write(told, true)));
    const hopeless = await send(large.flatMap(({ told }) => write(told, false)));
    for (const { told } of hopeless) giveUp(told, 'It does not fit into a message of the bus.');
    return unpublished;
  }

  #write(told: ToldChange, withValues: boolean): ServiceBusMessage {
    return notificationMessage(told, { withValues, publicUrl: this.#options.publicUrl });
  }
}

/** What is wrong for longer than a moment, for people; undefined for what passes by itself. */
function lastingFault(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = LASTING.get(code);
  return reason && `${reason} (${code})`;
}
