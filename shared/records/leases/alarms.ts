import type { Clock } from '../../platform/clock.ts';
import type { Scope } from '../scope.ts';
import type { StoredLease } from './lease-storage.ts';
import type { Leases } from './leases.ts';

/*
 * What wakes work that is due at some time. Work that a record tells of has an alarm: a lease with the key of the record, which the sweep
 * finds when it is due. Who follows these rules may die between any two steps:
 *
 * 1. The alarm is raised before the record that relies on it is written, and rings soon: whatever becomes of that record, the sweep has a look.
 *    A record that is decided later than 20 s after its alarm is not written; the alarm is raised again first.
 * 2. The sweep reads the record after the alarm, and does what is due, which is decided on the newest state.
 * 3. Only an alarm that was raised three minutes ago or longer is moved to where something is due, or removed where nothing is:
 *    every record that counts on it stands by then, though the clocks of who raised it and of the sweep be a minute apart. Before that it
 *    goes on ringing. Both are conditional on the alarm as it was read before the record, so that who raises it meanwhile wins.
 *
 * So for every record with work to come there is an alarm, and it rings no later than that is due.
 */

/** How long, in milliseconds, a record may count on an alarm that was raised for it. */
const RAISED_FOR = 20_000;
/** How long, in milliseconds, an alarm is left ringing; more than `RAISED_FOR`, what clocks differ by, and what a batch may take on its way. */
const SETTLING_TIME = 180_000;

export interface RaisedAlarm {
  /** Whether a record that is decided now may count on it. */
  isRecent(): boolean;
}

/** Alarms of all scopes; see the rules above. All methods throw SkerryError `unavailable`. */
export class Alarms {
  readonly #leases: Leases;
  readonly #clock: Clock;

  constructor(leases: Leases, clock: Clock) {
    this.#leases = leases;
    this.#clock = clock;
  }

  /**
   * To be called before a record is written that counts on it; what comes back tells the decision whether that is recent enough.
   *
   * @param ringsAfter milliseconds until it first rings; an alarm that rings earlier already goes on doing so.
   */
  async raise(scope: Scope, key: string, ringsAfter = 0): Promise<RaisedAlarm> {
    for (;;) {
      const now = this.#clock.now();
      const held = await this.#leases.read(scope, key);
      const expiresAt = Math.min(now + ringsAfter, held?.lease.expiresAt ?? Number.POSITIVE_INFINITY);
      const alarm = { key, state: 'live', renewedAt: now, expiresAt } as const;
      if ((await this.#leases.write(scope, alarm, held)) !== undefined) {
        return { isRecent: () => this.#clock.now() - now < RAISED_FOR };
      }
    }
  }

  /**
   * Lets an alarm that rang be, once that is safe (rule 3).
   *
   * @param held as it was read before the record.
   * @param dueAt when the next work is due, in milliseconds since the Unix epoch; undefined for none.
   */
  async settle(held: StoredLease, dueAt: number | undefined): Promise<void> {
    if (this.#clock.now() - held.lease.renewedAt < SETTLING_TIME) {
      return;
    }
    if (dueAt === undefined) {
      await this.#leases.remove(held);
    } else {
      await this.move(held, dueAt);
    }
  }

  /** Has an alarm ring at another time, where no writer that counts on it can have any work that is due before. */
  async move(held: StoredLease, dueAt: number): Promise<void> {
    await this.#leases.write(held.scope, { ...held.lease, expiresAt: dueAt }, held);
  }

  /** Removes an alarm on which no record will ever count again. */
  async remove(held: StoredLease): Promise<void> {
    await this.#leases.remove(held);
  }
}
