import type { Clock } from './clock.ts';
import type { Entities, TopicSettings } from './entities.ts';
import { type DeadLetterReasons, type EntityKind, MessageQueue } from './message-queue.ts';
import type { MessageStore } from './message-store.ts';
import type { QueueSettings } from './queue-settings.ts';

interface BrokerDependencies {
  readonly clock: Clock;
  readonly store: MessageStore;
  readonly deadLetterReasons: DeadLetterReasons;
}

const DEAD_LETTER_SUFFIX = '/$deadletterqueue';
const SUBSCRIPTIONS = '/subscriptions/';

/** What a topic, from which nobody receives, and a dead-letter queue have in place of settings of their own. */
const WITHOUT_LIMITS = {
  lockDuration: Number.POSITIVE_INFINITY,
  maxDeliveryCount: Number.POSITIVE_INFINITY,
  deadLetterOnExpiration: false,
  requiresSession: false,
};

/** The queues, topics and subscriptions of a namespace with their dead-letter queues, restored from the store. */
export class Broker {
  readonly #queues = new Map<string, MessageQueue>();
  readonly #dependencies: BrokerDependencies;

  constructor({ queues, topics }: Entities, dependencies: BrokerDependencies) {
    this.#dependencies = dependencies;
    for (const settings of queues) this.#add('queue', settings.name, settings);
    for (const settings of topics) this.#addTopic(settings);
  }

  /**
   * The entity at a path such as `orders`, `orders/$DeadLetterQueue` or `news/Subscriptions/all`; case does not
   * matter.
   */
  find(path: string): MessageQueue | undefined {
    return this.#queues.get(path.toLowerCase());
  }

  /** Stops all timers; the store stays open. */
  close(): void {
    for (const queue of this.#queues.values()) queue.close();
  }

  #addTopic(settings: TopicSettings): void {
    const subscriptions = settings.subscriptions.map((subscription) => ({
      queue: this.#add('subscription', settings.name + SUBSCRIPTIONS + subscription.name, subscription),
      matches: subscription.matches,
    }));
    const name = settings.name.toLowerCase();
    const dependencies = { ...this.#dependencies, kind: 'topic' as const, subscriptions };
    this.#queues.set(name, new MessageQueue({ ...WITHOUT_LIMITS, ...settings, name }, dependencies));
  }

  #add(kind: EntityKind, path: string, settings: QueueSettings): MessageQueue {
    const name = path.toLowerCase();
    const deadLetterName = name + DEAD_LETTER_SUFFIX;
    const { lockDuration } = settings;
    const deadLetters = new MessageQueue(
      { ...WITHOUT_LIMITS, name: deadLetterName, lockDuration },
      { ...this.#dependencies, kind: 'dead-letter queue' },
    );
    const queue = new MessageQueue({ ...settings, name }, { ...this.#dependencies, kind, deadLetters });
    this.#queues.set(deadLetterName, deadLetters);
    this.#queues.set(name, queue);
    return queue;
  }
}
