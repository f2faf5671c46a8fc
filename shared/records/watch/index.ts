/**
 * Watching: everything that is stored can be followed, by resync and changes. `watches.ts` is what others use; `watch-hub.ts` is the one
 * loop of the process; a follower (`scope-follower.ts`, `wide-follower.ts`) reads from its own place and is only woken by it.
 */
export { ChangeFeed, type FeedPage, type FoundChange } from './change-feed.ts';
export { type FeedPosition, hasBegunEverywhere, hasReached } from './feed-position.ts';
export type { Follower, WatchAnswer } from './follower.ts';
export { LiveViews, type View } from './live-views.ts';
export { PrefixIndex } from './prefix-index.ts';
export type { ResyncPage, ResyncRequest } from './resync.ts';
export type { Place } from './watch-places.ts';
export type { WatchedKind, WatchRange } from './watch-range.ts';
export { Watches, type WatchesOptions } from './watches.ts';
