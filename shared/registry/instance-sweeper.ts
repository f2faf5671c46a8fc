import { type Clock, toTimestamp } from '../platform/clock.ts';
import { mapConcurrently } from '../platform/map-concurrently.ts';
import type { Leases, Records, StoredLease, Sweeper, SweepSummary } from '../records/index.ts';
import { ExpiryGuard, GUARD_KEY } from './expiry-guard.ts';
import { lastSignOfLife } from './health.ts';
import { type InstanceRecord, type InstanceValue, isMarkedExpired, SERVICE_KIND } from './instance.ts';

const INSTANCES_AT_ONCE = 32;
/** How long, in milliseconds, a lease that does not fit its record is left alone: a writer may be under way (leases.ts, rule 4). */
const SETTLING_TIME = 60_000;

const AUTHOR = { actor: 'system:sweep' };

/** A lease that is due, and the record behind it as it was read after the lease. */
interface Case {
  readonly held: StoredLease;
  readonly record: InstanceRecord | undefined;
}

export interface InstanceSweeperOptions {
  readonly records: Records;
  readonly leases: Leases;
  readonly clock: Clock;
  /** How long an expired instance stays listed before it is removed. */
  readonly expiredGraceSeconds: number;
}

/**
 * Turns lapsed leases into `expire` changes, and removes what has been expired for the grace time. Any number of sweeps
 * may run at once, and each goes on where another was cut off (shared/records/leases/leases.ts, rules 4 and 5).
 */
export class InstanceSweeper implements Sweeper {
  readonly #records: Records;
  readonly #leases: Leases;
  readonly #clock: Clock;
  readonly #grace: number;
  readonly #guard: ExpiryGuard;

  constructor({ records, leases, clock, expiredGraceSeconds }: InstanceSweeperOptions) {
    this.#records = records;
    this.#leases = leases;
    this.#clock = clock;
    this.#grace = 1000 * expiredGraceSeconds;
    this.#guard = new ExpiryGuard(records, leases, clock);
  }

  isFor({ scope }: StoredLease): boolean {
    return scope.kind === SERVICE_KIND;
  }

  async sweepScope(due: readonly StoredLease[], summary: SweepSummary): Promise<void> {
    const hold = due.find(({ lease }) => lease.key === GUARD_KEY);
    const cases = await mapConcurrently(
      due.filter((held) => held !== hold),
      INSTANCES_AT_ONCE,
      async (held): Promise<Case> => ({
        held,
        record: await this.#records.get<InstanceValue>(held.scope, held.lease.key),
      }),
    );
    const lapsing = cases.filter((one) => this.#isLapsing(one)).map(({ held }) => held);
    const [scope] = due.map((held) => held.scope);
    const mustWait = scope !== undefined && (await this.#guard.holdsBack(scope, lapsing));
    await mapConcurrently(cases, INSTANCES_AT_ONCE, async (one) => {
      if (mustWait && lapsing.includes(one.held)) {
        summary.heldBack += 1;
      } else {
        await this.#settle(one, summary);
      }
    });
    if (hold !== undefined && !mustWait) {
      await this.#leases.remove(hold);
    }
  }

  /** Whether the instance is up to now not known to be expired, and has to become so. */
  #isLapsing({ held, record }: Case): boolean {
    if (record?.value.ttl === undefined || isMarkedExpired(record)) {
      return false;
    }
    return held.lease.state === 'live' || (!isExpiring(held, record) && this.#hasSettled(held));
  }

  async #settle(one: Case, summary: SweepSummary): Promise<void> {
    const { held, record } = one;
    if (record !== undefined && isMarkedExpired(record)) {
      await this.#removeInTime(held, record, summary);
    } else if (record?.value.ttl !== undefined) {
      if (isExpiring(held, record)) {
        await this.#markExpired(held, record, summary);
      } else if (this.#isLapsing(one)) {
        await this.#expire(held, record, summary);
      }
    } else if (this.#hasSettled(held)) {
      await this.#collect(held, record, summary);
    }
  }

  async #expire(held: StoredLease, record: InstanceRecord, summary: SweepSummary): Promise<void> {
    const expiring = { ...held.lease, state: 'expired', recordRevision: record.revision } as const;
    const stored = await this.#leases.write(held.scope, expiring, held);
    if (stored !== undefined) {
      await this.#markExpired(stored, record, summary);
    }
  }

  async #markExpired(held: StoredLease, record: InstanceRecord, summary: SweepSummary): Promise<void> {
    const expiredAt = toTimestamp(this.#clock.now());
    const renewedAt = lastSignOfLife(record, held.lease);
    const commit = await this.#records.commit<InstanceValue>(held.scope, {
      key: record.key,
      ...AUTHOR,
      decide: (current) =>
        current?.revision === record.revision
          ? { type: 'expire', value: { ...current.value, expiredAt, renewedAt } }
          : { type: 'keep' },
    });
    if (commit.changed) {
      summary.expired += 1;
      await this.#scheduleRemoval(held, Date.parse(expiredAt) + this.#grace);
    }
  }

  async #removeInTime(held: StoredLease, record: InstanceRecord, summary: SweepSummary): Promise<void> {
    const removalAt = Date.parse(record.value.expiredAt ?? '') + this.#grace;
    if (this.#clock.now() < removalAt) {
      await this.#scheduleRemoval(held, removalAt);
      return;
    }
    const commit = await this.#records.commit<InstanceValue>(held.scope, {
      key: record.key,
      ...AUTHOR,
      decide: (current) => (current?.revision === record.revision ? { type: 'delete' } : { type: 'keep' }),
    });
    if (commit.changed) {
      summary.removed += 1;
      await this.#leases.remove(held);
    }
  }

  async #scheduleRemoval(held: StoredLease, at: number): Promise<void> {
    await this.#leases.write(held.scope, { ...held.lease, state: 'expired', expiresAt: at }, held);
  }

  /** Nothing needs the lease any more: without a record it goes, without a ttl it only keeps the time of renewal. */
  async #collect(
    held: StoredLease,
    record: InstanceRecord | undefined,
    summary: SweepSummary,
  ): Promise<void> {
    if (record === undefined) {
      await this.#leases.remove(held);
    } else {
      const { key, renewedAt } = held.lease;
      await this.#leases.write(held.scope, { key, state: 'live', renewedAt }, held);
    }
    summary.collected += 1;
  }

  #hasSettled({ lease }: StoredLease): boolean {
    return lease.expiresAt !== undefined && this.#clock.now() - lease.expiresAt >= SETTLING_TIME;
  }
}

/** Whether a sweep stands, or was cut off, between the two steps of this record's expiry. */
function isExpiring({ lease }: StoredLease, record: InstanceRecord): boolean {
  return lease.state === 'expired' && lease.recordRevision === record.revision;
}
