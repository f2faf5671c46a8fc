import { messageId } from '../../../shared/webhooks/delivery/queue-message.ts';
import { type DeliveryQueue, parseQueueMessage, type QueueMessage } from '../../../shared/webhooks/index.ts';

/** The queue of a process whose messages a test hands over itself. As on the bus, an id that was seen before counts once. */
export class MemoryQueue implements DeliveryQueue {
  readonly waiting: QueueMessage[] = [];
  readonly #seen = new Set<string>();

  async send<Message extends QueueMessage>(messages: readonly Message[]): Promise<readonly Message[]> {
    for (const message of messages) {
      this.#take(message);
    }
    return [];
  }

  async schedule(message: QueueMessage, _at: number): Promise<void> {
    this.#take(message);
  }

  /**
   * Hands over all that waits, and what comes of it, whatever its time; what the handler throws at comes again at once.
   *
   * @returns what was thrown.
   */
  async handOver(handle: (message: QueueMessage) => Promise<void>): Promise<unknown[]> {
    const faults: unknown[] = [];
    for (let message = this.waiting.shift(); message !== undefined; message = this.waiting.shift()) {
      try {
        await handle(message);
      } catch (error) {
        faults.push(error);
        this.waiting.unshift(message);
      }
    }
    return faults;
  }

  #take(message: QueueMessage): void {
    const id = messageId(message);
    if (!this.#seen.has(id)) {
      this.#seen.add(id);
      this.waiting.push(parseQueueMessage(JSON.parse(JSON.stringify(message))));
    }
  }
}
