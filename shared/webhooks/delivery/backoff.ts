/** The first pause of what is put off, in milliseconds. */
const FIRST_MILLISECONDS = 1_000;

/**
 * How long something is put off, in milliseconds: twice as long each time.
 *
 * @param nth from 1 on.
 */
export function backoff(nth: number, maximum: number): number {
  return Math.min(FIRST_MILLISECONDS * 2 ** (nth - 1), maximum);
}
