import { isOpenToAll, type Settings } from './settings.ts';

/** What one caller may take of this process, and of what is kept; undefined where there is no limit. */
export interface Limits {
  readonly requestsPerSecond: number | undefined;
  readonly heldWatches: number | undefined;
  /** Of a namespace. */
  readonly subscriptions: number | undefined;
}

/** The limits as they are set; where callers are told apart there are some unless told otherwise. */
export function limitsOf(
  settings: Pick<
    Settings,
    | 'SKERRY_LOCAL'
    | 'SKERRY_AUTH'
    | 'SKERRY_RATE_LIMIT'
    | 'SKERRY_WATCH_MAX_HELD_PER_CALLER'
    | 'SKERRY_MAX_SUBSCRIPTIONS'
  >,
): Limits {
  const isOpen = isOpenToAll(settings);
  const limit = (given: number | undefined, otherwise: number) =>
    (given ?? (isOpen ? 0 : otherwise)) || undefined;
  return {
    requestsPerSecond: limit(settings.SKERRY_RATE_LIMIT, 100),
    heldWatches: limit(settings.SKERRY_WATCH_MAX_HELD_PER_CALLER, 250),
    subscriptions: limit(settings.SKERRY_MAX_SUBSCRIPTIONS, 1000),
  };
}
