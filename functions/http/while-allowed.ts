import type { Clock } from '../../shared/platform/clock.ts';
import type { Follower, WatchAnswer } from '../../shared/records/index.ts';

/** For how long, in milliseconds, nobody asks whether those who wait still may. */
const ASKING_INTERVAL = 5_000;

/**
 * The next answer to somebody who watches, who may lose the right while they wait, as with a token that is revoked: nothing is told
 * then, and the wait ends within some seconds.
 *
 * @param checkRight throws where they may watch no longer.
 * @throws what `follower.next` and `checkRight` throw.
 */
export async function nextWhileAllowed(
  follower: Pick<Follower, 'next'>,
  deadline: number,
  checkRight: () => Promise<void>,
  clock: Pick<Clock, 'now'>,
): Promise<WatchAnswer> {
  for (;;) {
    const until = Math.min(deadline, clock.now() + ASKING_INTERVAL);
    const answer = await follower.next(until);
    await checkRight();
    // An answer without changes before its time says that the process ends, or how far the feed was read.
    if (answer.changes.length > 0 || until === deadline || clock.now() < until) {
      return answer;
    }
  }
}
