import { isUnder } from '../../records/index.ts';
import type { SubscriptionValue } from './subscription.ts';

/** What the fan-out knows of a change. */
export interface Announcement {
  /** The scope's partition key. */
  readonly scope: string;
  readonly revision: number;
  readonly key: string;
  /** RFC 3339, perhaps rewritten by the host: to be compared as an instant only. */
  readonly at: string;
}

/**
 * Whether a subscription is to be told of a change of its namespace: its key covers it, and it is younger than the
 * subscription.
 *
 * @param clockSkewMilliseconds how far two instances' clocks may differ; a subscription to several scopes hears of changes this much older than itself rather than miss one.
 */
export function hears(
  { key, since }: Pick<SubscriptionValue, 'key' | 'since'>,
  change: Announcement,
  clockSkewMilliseconds: number,
): boolean {
  if (!isUnder(key, change.key)) {
    return false;
  }
  if ('scope' in since) {
    return change.scope === since.scope && change.revision > since.revision;
  }
  return Date.parse(change.at) >= Date.parse(since.at) - clockSkewMilliseconds;
}
