import type { Clock } from '../../platform/clock.ts';
import { notFound, type SkerryError, unavailable } from '../../platform/errors.ts';
import type { Random } from '../../platform/random.ts';
import type { Scope } from '../scope.ts';
import { grantLease, hasWholeTtlLeft, isAlive, type Lease } from './lease.ts';
import type { StoredLease } from './lease-storage.ts';
import type { Leases } from './leases.ts';

/*
 * The protocol of session leases. A session lease has a random id and belongs to a scope; records of that scope name it in
 * `Life.lease`, and live exactly as long as it does. It lies beside the leases of instances, lasts as they do (leases.ts,
 * rules 1 and 3), and whoever follows these rules may die between any two steps:
 *
 * 1. A lease is granted before any record names it. Who dies after that leaves a lease that lapses.
 * 2. Who attaches a record reads the lease strongly first, and refuses where it is not alive.
 * 3. A renewal is an If-Match replace of a lease that is live and has not lapsed; any other is 404. No lease is ever revived,
 *    and no id comes back: an end is final, and may be remembered for ever.
 * 4. A lease ends by turning `expired`, by If-Match, because it has lapsed or is revoked: that comes first, and refuses all
 *    renewals to come. Only then are its records removed, by one change each, unless they have been written again for
 *    another lease or for none. So nobody can hold what somebody else has been given.
 * 5. For every reader a record counts as gone as soon as its lease has lapsed, has ended or does not exist. Who writes such a
 *    key ends the lease first (rule 4), and puts the record down in the batch of its own write.
 * 6. An ended lease stays due, and is looked at by every sweep until it has been over for a minute. A writer that read it
 *    alive may attach a record for another 15 s (a writer's patience and its last call), which a later look finds. Only
 *    then, with no record left, is it deleted.
 *
 * What remains: a process that dies while it revokes leaves the rest to the sweep, which removes it by `expire` changes; and
 * a process that has read the lease alive may show its records until they are removed, or until it would have lapsed.
 */

/** How often a writer looks again because another writer of the same lease came first. */
const MAX_ATTEMPTS = 20;
/** How long, in milliseconds, an ended lease is looked at again (rule 6). */
const SETTLING_TIME = 60_000;

const ID_PREFIX = 'lse_';

/** A lease that records of its scope may be attached to. */
export interface SessionLease {
  readonly id: string;
  /** Seconds that every accepted renewal buys at least. */
  readonly ttl: number;
  /** Milliseconds since the Unix epoch: it lapses then, unless it is renewed. */
  readonly expiresAt: number;
}

/** Whether a lease is one of those here, and not an instance's. */
export function isSessionLease({ key }: Lease): boolean {
  return key.startsWith(ID_PREFIX);
}

/** Session leases of all scopes; see the protocol above. All methods throw SkerryError `unavailable`. */
export class SessionLeases {
  readonly #leases: Leases;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(leases: Leases, clock: Clock, random: Random) {
    this.#leases = leases;
    this.#clock = clock;
    this.#random = random;
  }

  /** @param ttl whole seconds. */
  async grant(scope: Scope, ttl: number): Promise<SessionLease> {
    const lease = grantLease(`${ID_PREFIX}${this.#random.id()}`, ttl, this.#clock.now());
    await this.#leases.write(scope, lease, undefined);
    return toSession(lease);
  }

  /**
   * Makes sure that a whole ttl is left.
   *
   * @throws SkerryError `not-found` when the lease is over; `unavailable`, also when others renew it all the time.
   */
  async renew(scope: Scope, id: string): Promise<SessionLease> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const held = await this.#readAlive(scope, id);
      if (held === undefined) {
        throw leaseIsOver(id);
      }
      const now = this.#clock.now();
      if (hasWholeTtlLeft(held.lease, now)) {
        return toSession(held.lease);
      }
      const renewed = await this.#leases.write(scope, grantLease(id, held.lease.ttl, now), held);
      if (renewed !== undefined) {
        return toSession(renewed.lease);
      }
    }
    throw tooManyWriters(id);
  }

  /** The lease, by one strong read; undefined when it is over. */
  async find(scope: Scope, id: string): Promise<SessionLease | undefined> {
    const held = await this.#readAlive(scope, id);
    return held && toSession(held.lease);
  }

  /**
   * Ends a lease, whether or not it has lapsed; what is attached to it is gone, and remains to be removed.
   *
   * @returns false when it was over already.
   */
  async end(scope: Scope, id: string): Promise<boolean> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const held = await this.#read(scope, id);
      if (held === undefined || held.lease.state === 'expired') {
        return false;
      }
      const hasLapsed = !isAlive(held.lease, this.#clock.now());
      if (await this.#turnExpired(held)) {
        return !hasLapsed;
      }
    }
    throw tooManyWriters(id);
  }

  /** Deletes a lease that no record was ever attached to. */
  async discard(scope: Scope, id: string): Promise<void> {
    const held = await this.#leases.read(scope, id);
    if (held !== undefined) {
      await this.#leases.remove(held);
    }
  }

  /**
   * Which of the leases are over, so that no renewal of them is accepted any more: each that is not known to be alive or over
   * is read strongly, and ended where it has lapsed.
   */
  async settle(scope: Scope, ids: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const over = new Set<string>();
    await Promise.all(
      [...ids].map(async (id) => {
        if (!(await this.#isAliveOrEnded(scope, id))) {
          over.add(id);
        }
      }),
    );
    return over;
  }

  /** What this process knows of a lease, without asking. */
  standing(scope: Scope, id: string): 'alive' | 'over' | 'in doubt' {
    const lease = this.#leases.remembered(scope, id);
    if (lease?.state === 'expired') {
      return 'over';
    }
    return lease !== undefined && isAlive(lease, this.#clock.now()) ? 'alive' : 'in doubt';
  }

  /**
   * Reads leases strongly, by which `standing` knows of them too, for as long as they are remembered. Nothing is written.
   *
   * @param allowsAge whether it will do that they were read a second ago.
   * @returns those that are alive.
   */
  async look(scope: Scope, ids: readonly string[], allowsAge: boolean): Promise<ReadonlySet<string>> {
    const [only] = ids;
    const leases =
      only !== undefined && ids.length === 1
        ? new Map([[only, (await this.#leases.look(scope, only))?.lease]])
        : await this.#leases.lookAtAll(scope, ids, allowsAge);
    const now = this.#clock.now();
    return new Set(
      ids.filter((id) => {
        const lease = leases.get(id);
        return lease !== undefined && isAlive(lease, now);
      }),
    );
  }

  /** Ends a lease that is due, if it has not ended; false when it has been renewed. */
  async endDue(held: StoredLease): Promise<boolean> {
    return held.lease.state === 'expired' || (await this.#turnExpired(held));
  }

  /** Deletes an ended lease once nobody can be attaching anything to it any more; tells whether it did. */
  async collect(held: StoredLease): Promise<boolean> {
    const { state, expiresAt } = held.lease;
    if (state !== 'expired' || expiresAt === undefined || this.#clock.now() - expiresAt < SETTLING_TIME) {
      return false;
    }
    await this.#leases.remove(held);
    return true;
  }

  async #isAliveOrEnded(scope: Scope, id: string): Promise<boolean> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const known = this.standing(scope, id);
      if (known !== 'in doubt') {
        return known === 'alive';
      }
      const held = await this.#leases.look(scope, id);
      if (held?.lease.state === 'live' && !isAlive(held.lease, this.#clock.now())) {
        await this.#turnExpired(held);
      }
    }
    throw tooManyWriters(id);
  }

  async #readAlive(scope: Scope, id: string): Promise<StoredLease | undefined> {
    const held = await this.#read(scope, id);
    return held !== undefined && isAlive(held.lease, this.#clock.now()) ? held : undefined;
  }

  /** Callers choose the ids, and other keys among the leases are not for them. */
  async #read(scope: Scope, id: string): Promise<StoredLease | undefined> {
    return id.startsWith(ID_PREFIX) ? await this.#leases.look(scope, id) : undefined;
  }

  /** Tells whether it was this call that ended the lease. */
  async #turnExpired(held: StoredLease): Promise<boolean> {
    const ended: Lease = { ...held.lease, state: 'expired', expiresAt: this.#clock.now() };
    return (await this.#leases.write(held.scope, ended, held)) !== undefined;
  }
}

function toSession({ key, ttl = 0, expiresAt = 0 }: Lease): SessionLease {
  return { id: key, ttl, expiresAt };
}

/** The error for a session lease that is over, or never was. */
export function leaseIsOver(id: string): SkerryError {
  return notFound(`There is no lease "${id}", or it is over.`, {
    fix: 'Take a new one, and write what was attached to it again: its keys are gone.',
  });
}

function tooManyWriters(id: string): SkerryError {
  return unavailable(`Too many writers renew the lease "${id}" at once.`);
}
