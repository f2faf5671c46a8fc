import type { Clock } from '../../../../shared/platform/clock.ts';
import { messageId } from '../../../../shared/webhooks/delivery/queue-message.ts';
import {
  type DeliveryQueue,
  parseQueueMessage,
  type QueueMessage,
  type WakeMessage,
} from '../../../../shared/webhooks/index.ts';

interface Waiting {
  readonly message: WakeMessage;
  readonly at: number;
}

/** The queue, in true time. An id that was sent once is never taken again. */
export class SimulatedQueue implements DeliveryQueue {
  waiting: Waiting[] = [];
  readonly #clock: Clock;
  readonly #seen = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async send<Message extends QueueMessage>(messages: readonly Message[]): Promise<readonly Message[]> {
    for (const message of messages) {
      await this.schedule(message, this.#clock.now());
    }
    return [];
  }

  async schedule(message: QueueMessage, at: number): Promise<void> {
    if (!this.#seen.has(messageId(message))) {
      this.#seen.add(messageId(message));
      this.putBack(asWake(parseQueueMessage(JSON.parse(JSON.stringify(message)))), at);
    }
  }

  putBack(message: WakeMessage, at: number): void {
    this.waiting.push({ message, at });
  }

  get hasDue(): boolean {
    return this.waiting.some(({ at }) => at <= this.#clock.now());
  }

  /**
   * Takes one of those that are due.
   *
   * @param nth counted from the end where it is negative.
   */
  take(nth: number): WakeMessage | undefined {
    const due = this.waiting.filter(({ at }) => at <= this.#clock.now());
    const taken = due.at(nth % due.length);
    this.waiting = this.waiting.filter((each) => each !== taken);
    return taken?.message;
  }
}

function asWake(message: QueueMessage): WakeMessage {
  if (!('task' in message) || message.task !== 'wake') {
    throw new Error('Only wake messages travel here.');
  }
  return message;
}
