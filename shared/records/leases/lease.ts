/** The promise of the holder of a key to renew before `expiresAt`. */
export interface Lease {
  readonly key: string;
  readonly state: 'live' | 'expired';
  /** Whole seconds that every accepted renewal buys at least; absent for a holder that never expires. */
  readonly ttl?: number;
  /**
   * Milliseconds since the Unix epoch: when a live lease lapses, and when the sweep is to look at an expired one.
   * Absent without a ttl, so that no timer ever finds it.
   */
  readonly expiresAt?: number;
  /** Milliseconds since the Unix epoch. */
  readonly renewedAt: number;
  /**
   * On an expired lease, the revision of the record that expired with it. On a live one, the lease is provisional: it
   * counts only for a record with a higher revision (0: for any record), which its writer is about to write.
   */
  readonly recordRevision?: number;
}

/** A renewal stores half a ttl more than it promises, so that renewals can be skipped while a whole ttl is left. */
const MILLISECONDS_PER_TTL_SECOND = 1500;

/** A live lease from `now` on, in milliseconds since the Unix epoch; without a ttl one that only tells when it was renewed. */
export function grantLease(key: string, ttl: number | undefined, now: number): Lease {
  const lease = { key, state: 'live', renewedAt: now } as const;
  return ttl === undefined ? lease : { ...lease, ttl, expiresAt: now + MILLISECONDS_PER_TTL_SECOND * ttl };
}

/** Whether the holder counts as alive at `now`. */
export function isAlive(lease: Lease, now: number): boolean {
  return lease.state === 'live' && (lease.expiresAt === undefined || lease.expiresAt > now);
}

/** Whether a live lease counts for a record with this revision, and is not provisional on a write that has yet to come. */
export function countsFor(lease: Lease, revision: number): boolean {
  return lease.recordRevision === undefined || revision > lease.recordRevision;
}

/** Whether a renewal at `now` may be accepted without being stored. */
export function hasWholeTtlLeft(lease: Lease, now: number): boolean {
  const { state, ttl, expiresAt } = lease;
  return state === 'live' && ttl !== undefined && expiresAt !== undefined && expiresAt - now >= 1000 * ttl;
}
