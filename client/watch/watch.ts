import { belowRoot, type ChangeType, readChange } from '../history.ts';
import { type Content, readValue } from '../store/content.ts';
import { backoff } from '../transport/backoff.ts';
import { isForeign, isPassing, SkerryProblem } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';
import { pollAnswers } from './poll-answers.ts';
import { Progress } from './progress.ts';
import { streamAnswers } from './stream-answers.ts';
import {
  positionAfter,
  type WatchAnswer,
  type WatchedChange,
  type WatchedItem,
  type WatchRequest,
} from './watch-answer.ts';

/** How often in a row a fresh position may turn out to be lost before the watch takes it for a refusal. */
const MOST_LOSSES = 3;

export interface WatchOptions extends CallOptions {
  /** Where an earlier watch stood: goes on from there instead of beginning with a resync. */
  readonly position?: string | undefined;
  /** Only changes of these types; all without. */
  readonly types?: readonly ChangeType[] | undefined;
  /** `poll` (long polling, works everywhere) unless told; `stream` where the way to Skerry lets event streams through. */
  readonly transport?: 'poll' | 'stream' | undefined;
  /** Whole seconds that an answer may take when nothing changes, 1 to 200; 30 unless told, and 200 for streams. */
  readonly wait?: number | undefined;
  /** Begins again with a resync after the connection was lost, instead of going on where it stood. */
  readonly resyncAfterReconnect?: boolean | undefined;
  /** Told of each fault that the watch gets over by itself. */
  readonly onFault?: ((error: unknown) => void) | undefined;
}

/** Everything under the prefix as it is at `position`: forget what you knew. */
export interface Resync<Value extends Content = Content> {
  readonly kind: 'resync';
  readonly items: readonly WatchedItem<Value>[];
  readonly position: string;
}

/** What happened, in order; changes of one transaction are never split. None, when only the position moved. */
export interface Changes<Value extends Content = Content> {
  readonly kind: 'changes';
  readonly changes: readonly WatchedChange<Value>[];
  readonly position: string;
}

export type WatchEvent<Value extends Content = Content> = Resync<Value> | Changes<Value>;

/**
 * Follows everything under a key prefix: first a resync, then changes, each once, none missed, in the order of each log. Gets over
 * lost connections by itself; where Skerry has forgotten what came next, or went back in time, another resync comes. The next
 * event is asked for when the last one has been taken.
 *
 * @param prefix whole, such as `/kv/agent1/config/`, `/srv/web` or `/`; by whole segments.
 * @throws SkerryProblem when Skerry refuses for good, or the reason of `signal`.
 */
export async function* watch<Value extends Content = Content>(
  transport: Transport,
  prefix: string,
  options: WatchOptions = {},
): AsyncGenerator<WatchEvent<Value>, void, undefined> {
  const { types, wait, resyncAfterReconnect = false, onFault, signal } = options;
  const { random, wait: pause } = transport.timing;
  const request: WatchRequest = { path: belowRoot(prefix), types, wait, signal };
  const answers = options.transport === 'stream' ? streamAnswers : pollAnswers;
  const progress = new Progress();
  let { position } = options;
  let failures = 0;
  let hasBegun = false;
  let losses = 0;
  for (;;) {
    try {
      for await (const event of readAnswers(answers(transport, request, position), progress, position)) {
        hasBegun = true;
        yield event as WatchEvent<Value>;
        position = event.position;
        failures = 0;
        if (event.kind === 'changes') losses = 0;
      }
      // A stream ends by itself from time to time.
      await pause(backoff(1, random()), signal);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      const isLost = position !== undefined && losses < MOST_LOSSES && isLostPosition(error);
      const mayPass = isPassing(error) || (hasBegun && isForeign(error));
      if (!isLost && !mayPass) throw error;
      onFault?.(error);
      if (isLost || resyncAfterReconnect) position = undefined;
      if (isLost) {
        losses += 1;
        continue;
      }
      failures += 1;
      const retryAfter = error instanceof SkerryProblem ? error.retryAfter : undefined;
      await pause(backoff(failures, random(), retryAfter), signal);
    }
  }
}

/** Puts the pages of a resync together, and leaves out what was delivered before. */
async function* readAnswers(
  answers: AsyncIterable<WatchAnswer>,
  progress: Progress,
  from: string | undefined,
): AsyncGenerator<WatchEvent, void, undefined> {
  let items: WatchedItem[] = [];
  let position = from;
  for await (const answer of answers) {
    if ('resync' in answer) {
      items.push(...answer.resync.items.map((item) => ({ ...item, value: readValue(item.value) })));
      if (answer.resync.next !== undefined) continue;
      progress.reset(items);
      position = positionAfter(answer);
      yield { kind: 'resync', items, position };
      items = [];
    } else {
      checkOnward(position, answer.revision);
      position = positionAfter(answer);
      const changes = answer.changes.filter((change) => progress.admit(change)).map(readChange);
      if (answer.changes.length === 0) progress.catchUp();
      yield { kind: 'changes', changes, position };
    }
  }
}

/** A revision never falls, unless the store is another one than before: then nothing that we knew holds. */
function checkOnward(position: string | undefined, revision: number | undefined): void {
  if (position === undefined || revision === undefined || revision >= Number(position)) return;
  throw new WentBack(`The watch stood at revision ${position}, and the log is at ${revision}.`);
}

class WentBack extends Error {}

function isLostPosition(error: unknown): boolean {
  return (
    error instanceof WentBack ||
    (error instanceof SkerryProblem && (error.status === 410 || error.status === 400))
  );
}
