/** Time as the broker sees it, so that tests own it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Runs `action` once, not before `at` (milliseconds since the epoch); the answer cancels it. */
  schedule(at: number, action: () => void): () => void;
}

/** `setTimeout` fires at once for longer delays. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  schedule(at, action) {
    const wait = () => {
      const delay = at - Date.now();
      if (delay > 0) timer = setTimeout(wait, Math.min(delay, LONGEST_TIMEOUT));
      else action();
    };
    let timer = setTimeout(wait, Math.max(0, Math.min(at - Date.now(), LONGEST_TIMEOUT)));
    return () => clearTimeout(timer);
  },
};
