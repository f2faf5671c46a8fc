import type { PageOptions } from '../config/apps.ts';
import { type Page, pages } from '../transport/paged.ts';
import type { Call, CallOptions, Transport } from '../transport/transport.ts';
import type { Delivery } from './delivery.ts';

/** Of which subscription; of all without. */
export interface DeadLetterFilter {
  readonly subscription?: string | undefined;
}

/** Which dead deliveries: all, all of a subscription, or these, at most 100. */
export type DeadLetterChoice =
  | { readonly all: true }
  | { readonly subscription: string }
  | { readonly ids: readonly { readonly subscription: string; readonly id: string }[] };

export interface Replay {
  readonly replayed: number;
  /** What was left as it is, and why. */
  readonly skipped: readonly {
    readonly subscription: string;
    readonly deliveries: number;
    readonly reason: string;
  }[];
}

/** A message that the broker gave up, which only unexpected faults bring about. */
export interface DeadMessage {
  /** Of the broker, in decimal digits. */
  readonly sequenceNumber: string;
  readonly messageId?: string;
  /** RFC 3339. */
  readonly enqueuedAt?: string;
  readonly reason?: string;
  readonly description?: string;
  readonly body: unknown;
}

const PATH = 'dead-letters';
const QUEUE = { queue: 'deliveries' } as const;

/** Deliveries that nobody will try again, whether or not their subscriptions are still there; and messages that the broker gave up. */
export class DeadLetters {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** One page of them, the newest first. */
  async listPage({
    subscription,
    limit,
    after,
    signal,
  }: DeadLetterFilter & PageOptions = {}): Promise<Page<Delivery>> {
    return await this.#transport.json<Page<Delivery>>({
      path: PATH,
      query: { subscription, limit, after },
      signal,
    });
  }

  /** All of them, the newest first. */
  list(
    options: DeadLetterFilter & Omit<PageOptions, 'after'> = {},
  ): AsyncGenerator<Delivery, void, undefined> {
    return pages((after) => this.listPage({ ...options, after }));
  }

  /** Has them made again, with the same `webhook-id`; only to active subscriptions. */
  async replay(choice: DeadLetterChoice, { signal }: CallOptions = {}): Promise<Replay> {
    let replayed = 0;
    const skipped: Replay['skipped'][number][] = [];
    let after: string | undefined;
    do {
      const body = { ...choice, after };
      const call = { method: 'POST', path: PATH, body, isRepeatable: true, signal } as const;
      const part = await this.#transport.json<Replay & { readonly next?: string }>(call);
      replayed += part.replayed;
      skipped.push(...part.skipped);
      after = part.next;
    } while (after !== undefined);
    return { replayed, skipped };
  }

  /** Removes them for good. */
  async purge(
    choice: Exclude<DeadLetterChoice, { readonly ids: unknown }>,
    { signal }: CallOptions = {},
  ): Promise<{ readonly purged: number }> {
    const call = { method: 'DELETE', path: PATH, query: choice, signal } as const;
    return { purged: await this.#repeat('purged', call) };
  }

  /** The messages that the broker gave up, the oldest first. */
  messages({ limit, signal }: Omit<PageOptions, 'after'> = {}): AsyncGenerator<DeadMessage, void, undefined> {
    return pages((after) =>
      this.#transport.json<Page<DeadMessage>>({ path: PATH, query: { ...QUEUE, limit, after }, signal }),
    );
  }

  /** Sends the messages that the broker gave up once more. */
  async drainMessages({ signal }: CallOptions = {}): Promise<{ readonly drained: number }> {
    const call = { method: 'POST', path: PATH, body: QUEUE, isRepeatable: true, signal } as const;
    return { drained: await this.#repeat('drained', call) };
  }

  /** Removes the messages that the broker gave up for good. */
  async purgeMessages({ signal }: CallOptions = {}): Promise<{ readonly purged: number }> {
    const call = { method: 'DELETE', path: PATH, query: QUEUE, signal } as const;
    return { purged: await this.#repeat('purged', call) };
  }
  /** Calls until there is no more, for a call takes up a part of them; @returns how many it were. */
  async #repeat<Name extends string>(name: Name, call: Call): Promise<number> {
    let sum = 0;
    for (;;) {
      const part = await this.#transport.json<Record<Name, number> & { readonly more: boolean }>(call);
      sum += part[name];
      // Messages of other namespaces can fill a whole part.
      if (!part.more || part[name] === 0) return sum;
    }
  }
}
