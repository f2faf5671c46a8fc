import { z } from 'zod';
import { isPublic } from '../../keyspace/index.ts';
import type { Clock } from '../../platform/clock.ts';
import { parseScopeId } from '../../records/index.ts';
import type { Subscription } from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import { type Announcement, hears } from '../subscription/watched-key.ts';
import { type DeliveryMessage, newDelivery } from './delivery.ts';
import type { DeliveryQueue } from './delivery-queue.ts';
import type { DeliveryStorage } from './delivery-storage.ts';

export interface FanOutOptions {
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly queue: DeliveryQueue;
  readonly clock: Clock;
  readonly clockSkewMilliseconds: number;
}

/** Where faults are told that nobody is waiting for; the context of an invocation has it. */
export interface Alerts {
  error(...args: unknown[]): void;
}

const announcementSchema = z.object({
  scope: z.string().regex(/^[^:]+:[^:]+:/, 'is not a scope id of the form namespace:kind:name'),
  revision: z.int().positive(),
  key: z.string().startsWith('/'),
  at: z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'is not a time'),
});

/**
 * Matches changes against the subscriptions of their namespace and enqueues a delivery for each pair. It only reads
 * which change it is; delivering reads the change itself from the log, because the host rewrites what looks like a time
 * in the documents that it hands over.
 *
 * The feed advances only when `handle` returns, and repeats the batch otherwise. What was enqueued twice is dropped by the
 * bus, or known by its delivery document. So nothing is lost, as long as what can never succeed does not throw.
 */
export class FanOut {
  readonly #options: FanOutOptions;

  constructor(options: FanOutOptions) {
    this.#options = options;
  }

  /**
   * @param documents of the container `records`, as the change feed hands them over.
   * @throws what storage or the bus throws when it does not answer, after everything else of the batch is enqueued.
   */
  async handle(documents: readonly unknown[], alerts: Alerts): Promise<void> {
    const messages: DeliveryMessage[] = [];
    const hopeless: HopelessMessage[] = [];
    const faults: unknown[] = [];
    for (const [ns, changes] of byNamespace(documents, alerts)) {
      try {
        const matches = await this.#match(ns, changes);
        messages.push(...matches.messages);
        hopeless.push(...matches.hopeless);
      } catch (error) {
        faults.push(error);
      }
    }
    const refused = await this.#options.queue.send(messages);
    hopeless.push(
      ...refused.map((message) => ({ message, reason: 'It does not fit into a message of the bus.' })),
    );
    await this.#bury(hopeless, alerts);
    if (faults.length > 0) {
      throw faults[0];
    }
  }

  async #match(ns: string, changes: readonly Announcement[]) {
    const { subscriptions, clockSkewMilliseconds } = this.#options;
    const known: Subscription[] = [];
    for await (const subscription of subscriptions.all(ns)) {
      known.push(subscription);
    }
    const messages: DeliveryMessage[] = [];
    const hopeless: HopelessMessage[] = [];
    for (const change of changes) {
      const { scope, revision, key } = change;
      for (const subscription of known) {
        const message = { scope, revision, key, subscription: subscription.id, attempt: 1 };
        try {
          if (hears(subscription, change, clockSkewMilliseconds)) {
            messages.push(message);
          }
        } catch (error) {
          hopeless.push({ message, reason: `The subscription cannot be read: ${String(error)}` });
        }
      }
    }
    return { messages, hopeless };
  }

  /** Makes dead deliveries of what would fail again and again, and would hold up all that comes after it. */
  async #bury(hopeless: readonly HopelessMessage[], alerts: Alerts): Promise<void> {
    const { storage, clock } = this.#options;
    for (const { message, reason } of hopeless) {
      const delivery = newDelivery(message, clock.now());
      alerts.error(`The delivery ${delivery.id} to ${message.subscription} cannot be enqueued. ${reason}`);
      await storage.create({ ...delivery, state: 'dead', reason });
    }
  }
}

interface HopelessMessage {
  readonly message: DeliveryMessage;
  readonly reason: string;
}

/** The changes in a batch that anyone may be told of. */
function byNamespace(documents: readonly unknown[], alerts: Alerts): Map<string, Announcement[]> {
  const namespaces = new Map<string, Announcement[]>();
  for (const document of documents) {
    if (!isChange(document)) {
      continue;
    }
    const parsed = announcementSchema.safeParse(document);
    if (!parsed.success) {
      alerts.error(
        `A change is malformed, and nobody is told of it: ${describeFault(document, parsed.error)}`,
      );
      continue;
    }
    const scope = parseScopeId(parsed.data.scope);
    if (isPublic(scope)) {
      namespaces.set(scope.ns, [...(namespaces.get(scope.ns) ?? []), parsed.data]);
    }
  }
  return namespaces;
}

function isChange(document: unknown): document is { readonly id?: unknown } {
  return (
    typeof document === 'object' && document !== null && 'type' in document && document.type === 'change'
  );
}

/** Without the document itself, whose values may be secret. */
function describeFault(document: { readonly id?: unknown }, error: z.ZodError): string {
  const faults = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return `id ${JSON.stringify(document.id)}, ${faults.join('; ')}`;
}
