import { changeBytes } from './change-bytes.ts';
import type { FeedPage, FoundChange } from './change-feed.ts';
import { type FeedPosition, positionKey } from './feed-position.ts';

const MAX_BYTES = 32 * 1024 * 1024;
/** Positions that are remembered; reading an empty feed makes new ones too. */
const MAX_POSITIONS = 10_000;

export interface FeedPoint {
  readonly position: FeedPosition;
  /** All changes that were committed before are before the position, in milliseconds since the Unix epoch. */
  readonly completeSince: number;
}

interface Entry extends FeedPoint {
  /** The changes that lead to the point from the one before. */
  readonly changes: readonly FoundChange[];
  readonly bytes: number;
}

/** The newest pages of the feed, kept in memory so that many watches need no reading. */
export class FeedWindow {
  readonly #isVisible: (found: FoundChange) => boolean;
  /** How often something was appended, by the position it led to; the oldest first. */
  readonly #numbers = new Map<string, number>();
  #entries: Entry[] = [];
  /** How many entries were dropped from the front. */
  #dropped = 0;
  #bytes = 0;

  constructor(isVisible: (found: FoundChange) => boolean) {
    this.#isVisible = isVisible;
  }

  /** Where the feed was read to. */
  get head(): FeedPoint | undefined {
    return this.#entries.at(-1);
  }

  push({ changes, position, isDrained, askedAt }: FeedPage): void {
    const visible = changes.filter(this.#isVisible);
    const completeSince = isDrained ? askedAt : (this.head?.completeSince ?? 0);
    const bytes = visible.reduce((sum, { change }) => sum + changeBytes(change), 0);
    const last = this.#entries.at(-1);
    if (last !== undefined && visible.length === 0) {
      this.#entries[this.#entries.length - 1] = { ...last, position, completeSince };
    } else {
      this.#entries.push({ changes: visible, position, completeSince, bytes });
      this.#bytes += bytes;
    }
    const key = positionKey(position);
    this.#numbers.delete(key);
    this.#numbers.set(key, this.#dropped + this.#entries.length);
    this.#forgetExcess();
  }

  clear(): void {
    this.#entries = [];
    this.#numbers.clear();
    this.#dropped = 0;
    this.#bytes = 0;
  }

  /** What was read behind a position, step by step; undefined when the position is not one of those remembered. */
  after(position: FeedPosition): readonly Entry[] | undefined {
    const number = this.#numbers.get(positionKey(position));
    return number === undefined || number < this.#dropped
      ? undefined
      : this.#entries.slice(number - this.#dropped);
  }

  #forgetExcess(): void {
    while (this.#bytes > MAX_BYTES && this.#entries.length > 1) {
      this.#bytes -= this.#entries.shift()?.bytes ?? 0;
      this.#dropped += 1;
    }
    if (this.#numbers.size > MAX_POSITIONS) {
      const [oldest] = this.#numbers.keys();
      this.#numbers.delete(oldest ?? '');
    }
  }
}
