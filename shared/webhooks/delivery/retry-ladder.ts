import type { Random } from '../../platform/random.ts';

/** Share of a pause by which it is varied both ways, so that what failed together does not come back together. */
const JITTER = 0.2;

/**
 * Milliseconds to wait after a failed attempt; undefined when it was the last one.
 *
 * @param attempt number of the attempt that failed, from 1 on.
 * @param ladder pauses in seconds, one for each retry.
 */
export function pauseAfter(attempt: number, ladder: readonly number[], random: Random): number | undefined {
  const seconds = ladder[attempt - 1];
  return seconds === undefined
    ? undefined
    : Math.round(1000 * seconds * (1 - JITTER + 2 * JITTER * random.fraction()));
}
