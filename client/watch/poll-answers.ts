import type { Transport } from '../transport/transport.ts';
import { positionAfter, type WatchAnswer, type WatchRequest } from './watch-answer.ts';

/** Seconds that a poll waits for changes unless told. */
const WAIT = 30;

/** How much longer than it was asked to wait an answer may be under way, in milliseconds. */
const GRACE = 15_000;

/**
 * The answers from a position on, one long poll after the other; without a position, from the beginning or a further page of it.
 */
export async function* pollAnswers(
  transport: Transport,
  { path, types, wait = WAIT, signal }: WatchRequest,
  from: string | undefined,
  page?: string,
): AsyncGenerator<WatchAnswer, void, undefined> {
  let position = from;
  let after = page;
  for (;;) {
    // Only a poll for changes takes its time; a resync is answered at once.
    const question =
      position === undefined
        ? { query: { after } }
        : { query: { cursor: position, wait, type: types }, attemptTimeout: wait * 1000 + GRACE };
    const answer: WatchAnswer = await transport.json<WatchAnswer>({
      path: `watch/${path}`,
      attempts: 1,
      isUncached: true,
      signal,
      ...question,
    });
    yield answer;
    if ('resync' in answer && answer.resync.next !== undefined) after = answer.resync.next;
    else position = positionAfter(answer);
  }
}
