import type { Lease } from '../records/index.ts';
import type { InstanceRecord } from './instance.ts';

const MAX_LAG_MILLISECONDS = 15_000;

/**
 * Whether the stored time of the last renewal lags so far behind `now` that a renewal has to be stored for its sake:
 * by more than 15 s or a quarter of the ttl, for a master not at all (design.md, "Liveness"; Nesoi's clients
 * compare `updated_at`).
 */
export function isRenewalTimeStale(record: InstanceRecord, lease: Lease | undefined, now: number): boolean {
  const { ttl, master } = record.value;
  const allowedLag =
    master === true ? 0 : Math.min(MAX_LAG_MILLISECONDS, ttl === undefined ? Infinity : 250 * ttl);
  const renewedAt = Math.max(Date.parse(record.updatedAt), lease?.renewedAt ?? 0);
  return now - renewedAt > allowedLag;
}
