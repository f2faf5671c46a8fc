import { messageId } from '../../../shared/webhooks/delivery/queue-message.ts';
import {
  BUS_SUBSCRIPTION,
  type DeliveryQueue,
  type Publication,
  type QueueMessage,
} from '../../../shared/webhooks/index.ts';
import type { HastenedClock } from './hastened-clock.ts';

/** Messages so far, each way; each but the settled ones costs a credit of the Standard tier. */
export interface BusUsage {
  /** To the topic, which nobody has subscribed to. */
  readonly published: number;
  /** To the queue, at once or for later. */
  readonly sent: number;
  readonly received: number;
  readonly settled: number;
}

interface Waiting {
  readonly message: QueueMessage;
  readonly at: number;
}

/** The bus of one process without its network: what it takes, and what comes of that, is counted by messages. */
export class CountedBus implements DeliveryQueue, Publication {
  readonly id = BUS_SUBSCRIPTION;
  usage: BusUsage = { published: 0, sent: 0, received: 0, settled: 0 };
  waiting: Waiting[] = [];
  readonly #clock: HastenedClock;
  readonly #seen = new Set<string>();

  constructor(clock: HastenedClock) {
    this.#clock = clock;
  }

  async send<Message extends QueueMessage>(messages: readonly Message[]): Promise<readonly Message[]> {
    for (const message of messages) this.#take(message, this.#clock.now());
    return [];
  }

  async schedule(message: QueueMessage, at: number): Promise<void> {
    this.#take(message, at);
  }

  async publish(changes: readonly unknown[]): Promise<readonly never[]> {
    this.#count('published', changes.length);
    return [];
  }

  /** Hands over what waits, and what comes of it, each when its time has come: the clock is put forward to it. */
  async handOver(handle: (message: QueueMessage) => Promise<void>): Promise<void> {
    while (this.waiting.length > 0) {
      this.#clock.advanceTo(Math.min(...this.waiting.map(({ at }) => at)));
      const due = this.waiting.filter(({ at }) => at <= this.#clock.now());
      this.waiting = this.waiting.filter(({ at }) => at > this.#clock.now());
      await this.handOverOnce(
        due.map(({ message }) => message),
        handle,
      );
    }
  }

  /** Hands over just these. */
  async handOverOnce(
    messages: readonly QueueMessage[],
    handle: (message: QueueMessage) => Promise<void>,
  ): Promise<void> {
    this.#count('received', messages.length);
    await Promise.all(messages.map(handle));
    this.#count('settled', messages.length);
  }

  /** What is sent twice is not delivered twice, and costs all the same. */
  #take(message: QueueMessage, at: number): void {
    this.#count('sent', 1);
    if (!this.#seen.has(messageId(message))) {
      this.#seen.add(messageId(message));
      this.waiting.push({ message, at });
    }
  }

  #count(way: keyof BusUsage, messages: number): void {
    this.usage = { ...this.usage, [way]: this.usage[way] + messages };
  }
}
