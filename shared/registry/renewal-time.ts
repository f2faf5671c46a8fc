import type { Lease } from '../records/index.ts';
import type { InstanceRecord } from './instance.ts';

const MAX_LAG_MILLISECONDS = 15_000;
/** Without a ttl the time is all that tells whether the instance lives, and its few beats save little. */
const MAX_LAG_WITHOUT_TTL_MILLISECONDS = 1_000;

/**
 * Whether the stored time of the last renewal lags so far behind `now` that a renewal has to be stored for its sake:
 * by more than 15 s or a quarter of the ttl, by a second without one, for a master not at all (Nesoi's clients
 * compare `updated_at`; docs/compatibility.md).
 */
export function isRenewalTimeStale(record: InstanceRecord, lease: Lease | undefined, now: number): boolean {
  const { ttl, master } = record.value;
  const renewedAt = Math.max(Date.parse(record.updatedAt), lease?.renewedAt ?? 0);
  return now - renewedAt > (master === true ? 0 : allowedLag(ttl));
}

/** In milliseconds. */
function allowedLag(ttl: number | undefined): number {
  return ttl === undefined ? MAX_LAG_WITHOUT_TTL_MILLISECONDS : Math.min(MAX_LAG_MILLISECONDS, 250 * ttl);
}
