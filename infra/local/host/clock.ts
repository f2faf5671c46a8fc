import { setTimeout as delay } from 'node:timers/promises';

/** Time as the host sees it; unlike the platform's clock, a sleep ends early when the host stops. */
export interface HostClock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after `milliseconds`, though never before all else had its turn, or as soon as `signal` aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** setTimeout takes at most 2^31 - 1 ms (24.8 days); a longer sleep is made of several. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export const hostClock: HostClock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    const end = performance.now() + milliseconds;
    let left = milliseconds;
    do {
      await delay(Math.min(Math.max(left, 0), LONGEST_TIMEOUT), undefined, { signal }).catch(() => undefined);
      left = end - performance.now();
    } while (left > 0 && !signal.aborted);
  },
};
