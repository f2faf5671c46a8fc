import type { Clock } from './clock.ts';
import { Heap } from './heap.ts';

interface Appointment<Item> {
  readonly at: number;
  readonly item: Item;
}

interface AgendaOptions<Item> {
  readonly clock: Clock;
  /** Whether an item still matters; one that does not is dropped without being run. */
  isCurrent(item: Item, at: number): boolean;
  run(item: Item): void;
}

const SMALLEST_CLEANUP = 1024;

/**
 * What is to happen when, with one timer set to the next moment, so that scheduled messages and expiring locks are
 * as precise as the clock. Cancelling is cheap: items that are no longer current are skipped when their time comes.
 */
export class Agenda<Item> {
  readonly #options: AgendaOptions<Item>;
  readonly #appointments = new Heap<Appointment<Item>>((left, right) => left.at - right.at);
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #cleanupSize = SMALLEST_CLEANUP;

  constructor(options: AgendaOptions<Item>) {
    this.#options = options;
  }

  add(at: number, item: Item): void {
    this.#appointments.push({ at, item });
    if (this.#appointments.size >= this.#cleanupSize) this.#cleanUp();
    this.#setTimer();
  }

  /** Forgets everything. */
  close(): void {
    this.#appointments.retain(() => false);
    this.#cancelTimer?.();
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  /** Most messages are settled long before they would expire, so the heap would otherwise hold an hour of them. */
  #cleanUp(): void {
    this.#appointments.retain(({ at, item }) => this.#options.isCurrent(item, at));
    this.#cleanupSize = Math.max(SMALLEST_CLEANUP, 2 * this.#appointments.size);
  }

  #setTimer(): void {
    const next = this.#appointments.peek()?.at ?? Number.POSITIVE_INFINITY;
    if (next >= this.#timerAt || next === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer?.();
    this.#timerAt = next;
    this.#cancelTimer = this.#options.clock.schedule(next, () => this.#runDue());
  }

  #runDue(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.now();
    for (;;) {
      const next = this.#appointments.peek();
      if (next === undefined || next.at > now) break;
      this.#appointments.pop();
      if (this.#options.isCurrent(next.item, next.at)) this.#options.run(next.item);
    }
    this.#setTimer();
  }
}
