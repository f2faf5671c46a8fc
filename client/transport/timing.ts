/** Time and chance, as everything in the client sees them; tests bring their own. */
export interface Timing {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds of a clock that nobody sets. */
  steady(): number;
  /** A number in [0, 1). */
  random(): number;
  /** @throws the signal's reason as soon as it is aborted. */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** Milliseconds; timers that are told to wait longer do not wait at all. */
const LONGEST_WAIT = 2 ** 31 - 1;

export const systemTiming: Timing = {
  now: () => Date.now(),
  steady: () => performance.now(),
  random: () => Math.random(),
  wait: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const timer = setTimeout(end, Math.min(milliseconds, LONGEST_WAIT));
      signal?.addEventListener('abort', end, { once: true });

      function end(): void {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        if (signal?.aborted) reject(signal.reason);
        else resolve();
      }
    }),
};
