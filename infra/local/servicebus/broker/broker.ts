import type { Clock } from './clock.ts';
import { type DeadLetterReasons, MessageQueue } from './message-queue.ts';
import type { MessageStore } from './message-store.ts';
import type { QueueSettings } from './queue-settings.ts';

interface BrokerDependencies {
  readonly clock: Clock;
  readonly store: MessageStore;
  readonly deadLetterReasons: DeadLetterReasons;
}

const DEAD_LETTER_SUFFIX = '/$deadletterqueue';

/** The queues of a namespace and their dead-letter queues, restored from the store. Names ignore case. */
export class Broker {
  readonly #queues = new Map<string, MessageQueue>();

  constructor(settings: readonly QueueSettings[], dependencies: BrokerDependencies) {
    for (const queueSettings of settings) {
      const name = queueSettings.name.toLowerCase();
      const deadLetterName = name + DEAD_LETTER_SUFFIX;
      const deadLetters = new MessageQueue(deadLetterSettings(deadLetterName, queueSettings), dependencies);
      this.#queues.set(deadLetterName, deadLetters);
      this.#queues.set(name, new MessageQueue({ ...queueSettings, name }, { ...dependencies, deadLetters }));
    }
  }

  /** The queue at a path such as `orders` or `orders/$DeadLetterQueue`. */
  find(path: string): MessageQueue | undefined {
    return this.#queues.get(path.toLowerCase());
  }

  /** Stops all timers; the store stays open. */
  close(): void {
    for (const queue of this.#queues.values()) queue.close();
  }
}

function deadLetterSettings(name: string, { lockDuration }: QueueSettings): QueueSettings {
  return {
    name,
    lockDuration,
    maxDeliveryCount: Number.POSITIVE_INFINITY,
    deadLetterOnExpiration: false,
    requiresSession: false,
  };
}
