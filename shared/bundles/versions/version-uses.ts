import type { Clock } from '../../platform/clock.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import {
  isAlive,
  isUnder,
  type Leases,
  type Scope,
  type StoredLease,
  type SweepSummary,
  scopeId,
} from '../../records/index.ts';
import { bundleScope, versionKey, versionsPrefix } from '../bundle.ts';

/*
 * Who reads which version, so that cleanup leaves it alone. A use is a lease with the key of the version, for 37 hours from when it was written;
 * a process writes it anew when twelve hours have passed since it did, or saw that another one had. So whoever reads a version finds it
 * pinned for at least 25 hours more.
 *
 * All reads count, of the newest version too: a reader that resolved `latest` and goes on by number must not lose its version to the next one.
 *
 * A read waits for that, once in twelve hours: an answer that names a version may be the first of a reader who goes on for hours, and the process
 * that gave it may die. Cleanup, having seen no use, may still take the version away in between: a version that was taken away is found as
 * long as it has a use that lasts for another hour (version-finder.ts), and keeps its content for an hour, and after that as long as it has a
 * use. So who finds it has an hour to read at least, whatever the clocks of those who find it and who clean up differ by. And when
 * cleanup finds an hour old mark and no use, none can come: nobody finds the version, and what processes remember of it, they forgot
 * after ten minutes.
 */

const HOUR = 3_600_000;
/** How long content stays after readers stopped finding its version: whoever found it before has this long to read. */
export const READING_MILLISECONDS = HOUR;
const RENEWAL_MILLISECONDS = 12 * HOUR;
/** So that a version is found for a day after it was read. */
const USE_MILLISECONDS = 24 * HOUR + RENEWAL_MILLISECONDS + READING_MILLISECONDS;
/** How long reads do without a use that could not be written: a database that does not answer must not hold each of them up. */
const RETRY_MILLISECONDS = 30_000;
/** Versions of which a process remembers when it saw their use renewed. */
const MAX_VERSIONS = 20_000;
const MAX_TRIES = 3;

export interface VersionUsesOptions {
  readonly leases: Leases;
  readonly clock: Clock;
}

/** The uses of versions, by whoever reads them. */
export class VersionUses {
  readonly #leases: Leases;
  readonly #clock: Clock;
  /** When the use of a version was renewed, as far as this process knows. */
  readonly #renewed = new RecentMap<string, number>(MAX_VERSIONS);
  readonly #renewing = new Map<string, Promise<void>>();

  constructor({ leases, clock }: VersionUsesOptions) {
    this.#leases = leases;
    this.#clock = clock;
  }

  /** Tells that a version is read, and waits until that stands. It never fails: a use that cannot be written is tried again half a minute later. */
  async note(ns: string, name: string, version: number): Promise<void> {
    const scope = bundleScope(ns, name);
    const key = versionKey(name, version);
    const place = scopeId(scope) + key;
    const now = this.#clock.now();
    const renewedAt = this.#renewed.get(place) ?? Number.NEGATIVE_INFINITY;
    if (now - renewedAt < RENEWAL_MILLISECONDS) return;
    const renewing = this.#renewing.get(place) ?? this.#remember(place, this.#renew(scope, key, now));
    this.#renewing.set(place, renewing);
    await renewing;
  }

  /** Whether a version was read lately, so that its content stays long enough for whoever reads it now. */
  async isUsed(ns: string, name: string, version: number): Promise<boolean> {
    const held = await this.#leases.read(bundleScope(ns, name), versionKey(name, version));
    return held !== undefined && isAlive(held.lease, this.#clock.now() + READING_MILLISECONDS);
  }

  /** The keys of all versions of a bundle that were read lately. */
  async usedKeys(scope: Scope): Promise<ReadonlySet<string>> {
    const leases = await this.#leases.lookAtAll(scope, [], false);
    const now = this.#clock.now();
    const uses = [...leases.values()].filter(
      (lease) => isUnder(versionsPrefix(scope.name), lease.key) && isAlive(lease, now),
    );
    return new Set(uses.map(({ key }) => key));
  }

  /** For the sweep: removes a use that has ended, unless it was renewed since. */
  async collect(due: StoredLease, summary: SweepSummary): Promise<void> {
    await this.#leases.remove(due);
    summary.collected += 1;
  }

  async #remember(place: string, renewing: Promise<number>): Promise<void> {
    try {
      this.#renewed.set(place, await renewing);
    } catch {
      this.#renewed.set(place, this.#clock.now() - RENEWAL_MILLISECONDS + RETRY_MILLISECONDS);
    } finally {
      this.#renewing.delete(place);
    }
  }

  /** @returns when the use was renewed, which another process may have done before. */
  async #renew(scope: Scope, key: string, now: number): Promise<number> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const held = await this.#leases.read(scope, key);
      const heldSince = held?.lease.renewedAt ?? Number.NEGATIVE_INFINITY;
      if (now - heldSince < RENEWAL_MILLISECONDS) return heldSince;
      const lease = { key, state: 'live', renewedAt: now, expiresAt: now + USE_MILLISECONDS } as const;
      if ((await this.#leases.write(scope, lease, held)) !== undefined) return now;
    }
    throw new Error(`The use of ${key} is written by too many at a time.`);
  }
}
