import { systemRandom } from '../../../shared/platform/random.ts';
import { type Log, messageOf } from './log.ts';

const SHORTEST_PAUSE = 200;
const LONGEST_PAUSE = 5_000;
/** Failures further apart than this are two outages. */
const QUIET = 30_000;

/** Tells of a service that is away once and not at each try, and says how long to wait before the next. */
export class Outage {
  readonly #service: string;
  readonly #log: Log;
  readonly #category: string;
  #failures = 0;
  #lastFailure = 0;

  constructor(service: string, category: string, log: Log) {
    this.#service = service;
    this.#category = category;
    this.#log = log;
  }

  /** Notes a failure and returns the milliseconds to wait before the next try. */
  failed(error: unknown): number {
    const now = performance.now();
    if (now - this.#lastFailure > QUIET) this.#failures = 0;
    this.#lastFailure = now;
    if (this.#failures === 0) {
      this.#log.write(
        'warning',
        this.#category,
        `${this.#service} does not answer, trying on: ${messageOf(error)}`,
      );
    }
    const pause = Math.min(SHORTEST_PAUSE * 2 ** this.#failures, LONGEST_PAUSE);
    this.#failures++;
    return pause * (0.5 + 0.5 * systemRandom.fraction());
  }

  /** Whether nothing has succeeded since the last failure. */
  get isOn(): boolean {
    return this.#failures > 0;
  }

  succeeded(): void {
    if (this.#failures > 0) this.#log.write('information', this.#category, `${this.#service} answers again.`);
    this.#failures = 0;
  }
}
