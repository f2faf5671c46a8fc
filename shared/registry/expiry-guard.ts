import type { Clock } from '../platform/clock.ts';
import type { Leases, Records, Scope, StoredLease } from '../records/index.ts';
import { type InstanceValue, isMarkedExpired } from './instance.ts';

/** In a scope with no more instances than this, all may expire at once. */
const MAX_UNGUARDED_INSTANCES = 10;

/** No record has this key: the guard's hold on a scope is a lease of its own among those of the instances. */
export const GUARD_KEY = '/guard';

/**
 * How long, in milliseconds, nobody may have looked after a hold: beyond it the sweep itself was away, and the
 * instances had no chance to renew.
 */
const MAX_UNATTENDED = 300_000;

/** Whether so many instances lapse in one sweep that an outage is likelier than their deaths (docs/api.md, "Instances"). */
export function isMassExpiry(lapsing: number, instancesWithTtl: number): boolean {
  return instancesWithTtl > MAX_UNGUARDED_INSTANCES && lapsing > instancesWithTtl / 2;
}

/**
 * Holds the expiry changes of a scope back for one ttl when a large share of it lapses at once. The hold is stored, so
 * that it outlives the process that found it necessary; while it lasts, nothing in the scope is marked as expired.
 */
export class ExpiryGuard {
  readonly #records: Records;
  readonly #leases: Leases;
  readonly #clock: Clock;

  constructor(records: Records, leases: Leases, clock: Clock) {
    this.#records = records;
    this.#leases = leases;
    this.#clock = clock;
  }

  /** Whether the expiry changes for these leases have to wait. */
  async holdsBack(scope: Scope, lapsing: readonly StoredLease[]): Promise<boolean> {
    if (lapsing.length === 0) {
      return false;
    }
    const hold = await this.#leases.read(scope, GUARD_KEY);
    const now = this.#clock.now();
    if (hold === undefined) {
      if (!isMassExpiry(lapsing.length, await this.#countWithTtl(scope, lapsing.length))) {
        return false;
      }
      await this.#hold(scope, longestTtl(lapsing), undefined);
      return true;
    }
    const { ttl = 0, expiresAt = now } = hold.lease;
    if (expiresAt <= now - Math.max(1000 * ttl, MAX_UNATTENDED)) {
      await this.#hold(scope, longestTtl(lapsing), hold);
      return true;
    }
    return expiresAt > now;
  }

  async #hold(scope: Scope, ttl: number, over: StoredLease | undefined): Promise<void> {
    const now = this.#clock.now();
    const hold = { key: GUARD_KEY, state: 'live', ttl, expiresAt: now + 1000 * ttl, renewedAt: now } as const;
    await this.#leases.write(scope, hold, over);
  }

  /** Instances with a ttl that are not marked as expired; counted only where the answer can matter. */
  async #countWithTtl(scope: Scope, lapsing: number): Promise<number> {
    if (lapsing <= MAX_UNGUARDED_INSTANCES / 2) {
      return 0;
    }
    const { records } = await this.#records.listAll<InstanceValue>(scope);
    return records.filter((record) => record.value.ttl !== undefined && !isMarkedExpired(record)).length;
  }
}

function longestTtl(leases: readonly StoredLease[]): number {
  return Math.max(...leases.map(({ lease }) => lease.ttl ?? 0));
}
