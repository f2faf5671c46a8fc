import { setImmediate } from 'node:timers/promises';

/** Milliseconds. */
const LONG = 10;

/** Lets others have their turn within work that may never wait: thousands of small files in memory. */
export class Pause {
  #since = performance.now();

  async whenLong(): Promise<void> {
    if (performance.now() - this.#since < LONG) return;
    await setImmediate();
    this.#since = performance.now();
  }
}
