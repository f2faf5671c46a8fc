import { describe, expect, it } from 'vitest';
import { nextWhileAllowed } from '../../../../functions/http/while-allowed.ts';
import type { FoundChange, WatchAnswer } from '../../../../shared/records/index.ts';

const NOTHING: WatchAnswer = { changes: [], cursor: '1' };
const SOMETHING: WatchAnswer = { changes: [{} as FoundChange], cursor: '2' };

/** Waits in a time of its own, until the right is lost, and for something until it happens. */
async function wait(events: { readonly happensAt?: number; readonly endsAt?: number; lostAt?: number }) {
  const { happensAt = Infinity, endsAt = Infinity, lostAt = Infinity } = events;
  let now = 0;
  const follower = {
    async next(deadline: number) {
      now = Math.max(now, Math.min(deadline, happensAt, endsAt));
      return now >= happensAt ? SOMETHING : NOTHING;
    },
  };
  const checkRight = async () => {
    if (now >= lostAt) throw new Error('lost');
  };
  const answer = await nextWhileAllowed(follower, 100_000, checkRight, { now: () => now }).catch(
    ({ message }: Error) => message,
  );
  return { answer, now };
}

describe('a wait', () => {
  it('lasts until something happens, the time is over or the process ends', async () => {
    expect(await wait({})).toEqual({ answer: NOTHING, now: 100_000 });
    expect(await wait({ happensAt: 7_000 })).toEqual({ answer: SOMETHING, now: 7_000 });
    expect(await wait({ endsAt: 12_000 })).toEqual({ answer: NOTHING, now: 12_000 });
  });

  it('ends within some seconds for who loses the right, and tells nothing then', async () => {
    expect(await wait({ lostAt: 12_000 })).toEqual({ answer: 'lost', now: 15_000 });
    expect(await wait({ lostAt: 12_000, happensAt: 13_000 })).toEqual({ answer: 'lost', now: 13_000 });
  });
});
