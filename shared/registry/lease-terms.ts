import { countsFor, grantLease, type Lease, type StoredLease } from '../records/index.ts';
import { isHeld } from './health.ts';
import { type InstanceRecord, isMarkedExpired } from './instance.ts';

/** What a writer saw before it began: the lease, and the record as it was read after the lease. */
export interface Look {
  readonly record: InstanceRecord | undefined;
  readonly held: StoredLease | undefined;
}

/**
 * The lease to be written now: provisional where it revives or begins something (leases.ts, rule 5). Without a ttl only
 * the time of renewal moves, and what else the lease says is left to the sweep.
 */
export function renewedLease(key: string, ttl: number | undefined, look: Look, now: number): Lease {
  const { record, held } = look;
  if (ttl === undefined && held !== undefined) {
    return { ...held.lease, renewedAt: now };
  }
  const lease = grantLease(key, ttl, now);
  return ttl === undefined || isRenewal(look) ? lease : { ...lease, recordRevision: record?.revision ?? 0 };
}

/** The lease when nothing is to be held by it any more. */
export function endedLease({ recordRevision: _, ...lease }: Lease, now: number): Lease {
  return { ...lease, state: 'expired', expiresAt: now };
}

/**
 * What a removal, committed at this revision, leaves of the lease: a provisional one counts for nothing up to the removal, but a
 * record that is still to be written may rely on it (leases.ts, rule 7). Undefined where that has been said already.
 */
export function leaseAfterRemoval(lease: Lease, removal: number, now: number): Lease | undefined {
  if (lease.state === 'expired' || lease.recordRevision === undefined) {
    return endedLease(lease, now);
  }
  return lease.recordRevision < removal ? { ...lease, recordRevision: removal } : undefined;
}

/** Whether the instance can be renewed; with what remains of its lease, or it has to register again. */
export function isRenewable(record: InstanceRecord, lease: Lease | undefined, now: number): boolean {
  return !isMarkedExpired(record) && isHeld(record, lease, now);
}

/** Whether writing a lease of this ttl is a mere renewal of the one that is held, which may have lapsed. */
export function isOfTerm(look: Look, ttl: number): boolean {
  return look.held?.lease.ttl === ttl && isRenewal(look);
}

function isRenewal({ record, held }: Look): boolean {
  return (
    record !== undefined &&
    !isMarkedExpired(record) &&
    held?.lease.state === 'live' &&
    countsFor(held.lease, record.revision)
  );
}
