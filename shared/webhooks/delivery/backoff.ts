/** The first pause of what is put off, in milliseconds. */
const FIRST_MILLISECONDS = 1_000;

/**
 * How long something is put off, in milliseconds: twice as long each time.
 *
 * @param nth from 1 on.
 * @param first the first pause.
 */
export function backoff(nth: number, maximum: number, first = FIRST_MILLISECONDS): number {
  return Math.min(first * 2 ** (nth - 1), maximum);
}
