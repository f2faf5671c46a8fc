/** Milliseconds. */
const FIRST = 100;
const LONGEST = 10_000;

/**
 * How long to wait before a further attempt, in milliseconds: anything from nothing to an exponentially growing bound
 * ("full jitter"), so that many clients that failed together do not come back together. What Skerry asked for is
 * obeyed, and spread by up to a quarter.
 *
 * @param failures how many attempts have failed in a row, 1 or more.
 * @param random in [0, 1).
 */
export function backoff(failures: number, random: number, retryAfter?: number): number {
  if (retryAfter !== undefined) return retryAfter * (1 + random / 4);
  return random * Math.min(LONGEST, FIRST * 2 ** Math.min(failures - 1, 16));
}
