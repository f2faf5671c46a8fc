/** How often status endpoints are asked, and how long one waits for them. All in milliseconds. */
export interface PollTerms {
  /** Between two rounds of polls while all is well, or went wrong a short while ago. */
  readonly interval: number;
  /** How long after its deployment an environment may be unhealthy before it counts as failed. */
  readonly validation: number;
}

/** How often in a row a deployed environment is found unhealthy before it counts as failed; rounds are `interval` apart at least. */
export const BAD_POLLS = 3;

/** Milliseconds; what has been wrong for long is asked no more rarely than this. */
const MAX_PAUSE = 15 * 60_000;
/** What went wrong is asked again after this part of the time for which it has been so. */
const PART_OF_OUTAGE = 4;

/**
 * How long, in milliseconds, until the next round: the longer nothing has changed for the better, the longer.
 *
 * @param since milliseconds since the Unix epoch: when the youngest of the faults began.
 */
export function pauseSince(since: number, now: number, { interval }: PollTerms): number {
  return Math.max(interval, Math.min((now - since) / PART_OF_OUTAGE, MAX_PAUSE));
}
