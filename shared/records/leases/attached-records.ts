import { mapConcurrently } from '../../platform/map-concurrently.ts';
import type { Records } from '../records.ts';
import type { Scope } from '../scope.ts';
import type { Authorship } from '../write.ts';
import type { StoredLease } from './lease-storage.ts';
import { isSessionLease, leaseIsOver, type SessionLeases } from './session-leases.ts';
import type { Sweeper, SweepSummary } from './sweep.ts';

const LEASES_AT_ONCE = 32;
/** Writes that wait in memory at a time; the commit queue makes batches of them. */
const REMOVALS_AT_ONCE = 490;

const SWEEP = { actor: 'system:sweep' };

/** The records that live as long as a session lease: removes them when it ends (session-leases.ts, rules 4 and 6). */
export class AttachedRecords implements Sweeper {
  readonly #records: Records;
  readonly #sessions: SessionLeases;

  constructor(records: Records, sessions: SessionLeases) {
    this.#records = records;
    this.#sessions = sessions;
  }

  /**
   * Ends a lease before its time, and removes what is attached to it.
   *
   * @throws SkerryError `not-found` when it was over already.
   */
  async revoke(scope: Scope, id: string, author: Authorship): Promise<void> {
    if (!(await this.#sessions.end(scope, id))) {
      throw leaseIsOver(id);
    }
    await this.#remove(scope, id, 'delete', author);
  }

  /** Keys of the records that are attached to a lease, in order. */
  async keys(scope: Scope, id: string): Promise<readonly string[]> {
    return await this.#records.attachedKeys(scope, id);
  }

  isFor({ lease }: StoredLease): boolean {
    return isSessionLease(lease);
  }

  async sweepScope(due: readonly StoredLease[], summary: SweepSummary): Promise<void> {
    await mapConcurrently(due, LEASES_AT_ONCE, async (held) => {
      if (await this.#sessions.endDue(held)) {
        const expired = await this.#remove(held.scope, held.lease.key, 'expire', SWEEP);
        const isCollected = await this.#sessions.collect(held);
        summary.expired += expired;
        summary.collected += isCollected ? 1 : 0;
      }
    });
  }

  async #remove(scope: Scope, id: string, type: 'expire' | 'delete', author: Authorship): Promise<number> {
    const keys = await this.#records.attachedKeys(scope, id);
    const outcomes = await mapConcurrently(keys, REMOVALS_AT_ONCE, (key) =>
      this.#records.commit(scope, {
        key,
        ...author,
        // What names another lease or none has been written again; that this one is over may be news to this process.
        decide: (current) =>
          current === undefined || current.lease === id ? { type, alsoLapsed: true } : { type: 'keep' },
      }),
    );
    return outcomes.filter(({ changed }) => changed).length;
  }
}
