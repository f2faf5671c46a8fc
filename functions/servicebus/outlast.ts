import type { Clock } from '../../shared/platform/clock.ts';
import { isUnavailable } from '../../shared/platform/errors.ts';

/** Milliseconds: below `functionTimeout`, and the time for which the host renews a lock (host.json), by the longest pause and one more try. */
const PATIENCE = 200_000;
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 15_000;

/**
 * Does what a message asks for, again and again while something is out of reach. The broker delivers a failed message again at once, and
 * so would be through with all its deliveries within seconds: as it is, a hundred of them outlast five hours.
 *
 * @param work may be repeated.
 */
export async function outlast(work: () => Promise<unknown>, clock: Clock): Promise<void> {
  const giveUpAt = clock.now() + PATIENCE;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      await work();
      return;
    } catch (error) {
      if (!isUnavailable(error) || clock.now() + pause > giveUpAt) throw error;
      await clock.sleep(pause);
    }
  }
}
