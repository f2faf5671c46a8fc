import type { Clock } from './clock.ts';
import { Heap } from './heap.ts';

interface Appointment {
  /** Whether it still matters; one that does not is dropped without being kept. */
  isCurrent(): boolean;
  keep(): void;
}

interface DatedAppointment extends Appointment {
  readonly at: number;
}

const SMALLEST_CLEANUP = 1024;

/**
 * What is to happen when, with one timer set to the next moment, so that scheduled messages and expiring locks are
 * as precise as the clock. Cancelling is cheap: appointments that are no longer current are skipped when their time comes.
 */
export class Agenda {
  readonly #clock: Clock;
  readonly #appointments = new Heap<DatedAppointment>((left, right) => left.at - right.at);
  #cancelTimer: (() => void) | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #cleanupSize = SMALLEST_CLEANUP;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `at` in milliseconds since the epoch. */
  add(at: number, appointment: Appointment): void {
    this.#appointments.push({ ...appointment, at });
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
    this.#appointments.retain((appointment) => appointment.isCurrent());
    this.#cleanupSize = Math.max(SMALLEST_CLEANUP, 2 * this.#appointments.size);
  }

  #setTimer(): void {
    const next = this.#appointments.peek()?.at ?? Number.POSITIVE_INFINITY;
    if (next >= this.#timerAt || next === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer?.();
    this.#timerAt = next;
    this.#cancelTimer = this.#clock.schedule(next, () => this.#runDue());
  }

  #runDue(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    for (;;) {
      const next = this.#appointments.peek();
      if (next === undefined || next.at > now) break;
      this.#appointments.pop();
      if (next.isCurrent()) next.keep();
    }
    this.#setTimer();
  }
}
