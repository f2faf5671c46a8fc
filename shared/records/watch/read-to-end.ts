import type { ChangeFeed, FeedPage, FeedReader } from './change-feed.ts';
import { type FeedPosition, hasReached } from './feed-position.ts';

/**
 * Reads the feed up to where it was at some moment after this call began; while others write it may never be at its end.
 *
 * @returns false where that takes more than `maxPages`.
 */
export async function readToEnd(
  feed: ChangeFeed,
  reader: FeedReader,
  maxPages: number,
  take: (page: FeedPage) => void,
): Promise<boolean> {
  let target: FeedPosition | undefined;
  for (let count = 0; count < maxPages; count += 1) {
    const page = await reader.read();
    take(page);
    target ??= page.isDrained ? page.position : (await feed.fromNow().read()).position;
    if (page.isDrained || hasReached(page.position, target)) {
      return true;
    }
  }
  return false;
}
