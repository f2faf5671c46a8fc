import type { Message } from './message.ts';

interface KnownId {
  readonly expiresAt: number;
  /** Resolves when the message with this id is stored. */
  readonly stored: Promise<void>;
}

/** Remembers message ids for a window of time from the moment of their first message on. */
export class DuplicateDetection {
  readonly #window: number;
  /** In the order of insertion, which is that of expiry because the window is the same for all. */
  readonly #known: Map<string, KnownId>;

  /** `window` in milliseconds; `stored` maps ids to their expiry, in milliseconds since the epoch. */
  constructor(window: number, stored: ReadonlyMap<string, number>) {
    this.#window = window;
    const byExpiry = [...stored].sort(([, left], [, right]) => left - right);
    this.#known = new Map(byExpiry.map(([id, expiresAt]) => [id, { expiresAt, stored: Promise.resolve() }]));
  }

  expiryOf(now: number): number {
    return now + this.#window;
  }

  /** Drops the ids whose window has passed and answers which they were. */
  forgetOlderThan(now: number): string[] {
    const forgotten: string[] = [];
    for (const [id, { expiresAt }] of this.#known) {
      if (expiresAt > now) break;
      this.#known.delete(id);
      forgotten.push(id);
    }
    return forgotten;
  }

  /** The messages with new ids, and for each of the others when the message it repeats is stored. */
  separate(messages: readonly Message[]): { fresh: Message[]; known: Promise<void>[] } {
    const fresh = new Map<string, Message>();
    const known: Promise<void>[] = [];
    for (const message of messages) {
      const id = message.content.messageId;
      const earlier = this.#known.get(id);
      if (earlier !== undefined) known.push(earlier.stored);
      else if (!fresh.has(id)) fresh.set(id, message);
    }
    return { fresh: [...fresh.values()], known };
  }

  remember(messages: readonly Message[], now: number, stored: Promise<void>): void {
    for (const { content } of messages) {
      this.#known.set(content.messageId, { expiresAt: this.expiryOf(now), stored });
    }
  }
}
