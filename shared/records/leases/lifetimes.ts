import type { Clock } from '../../platform/clock.ts';
import type { StoredRecord } from '../change.ts';
import type { Scope } from '../scope.ts';
import { isLapsed } from './expiry.ts';
import type { SessionLeases } from './session-leases.ts';

/** Whether a record has come to its end, and so is none. */
export type IsGone = (record: StoredRecord<unknown>) => boolean;

/** Which records of a scope have come to their end, by their own time or with their session lease. */
export class Lifetimes {
  readonly #scope: Scope;
  readonly #clock: Clock;
  readonly #sessions: SessionLeases | undefined;

  /** @param sessions may be left out where no record is attached to a lease. */
  constructor(scope: Scope, clock: Clock, sessions: SessionLeases | undefined) {
    this.#scope = scope;
    this.#clock = clock;
    this.#sessions = sessions;
  }

  /**
   * For a reader: what `read` gives without the records that are gone. It is run again where it meets leases that this process does not
   * know enough of, after those have been read.
   *
   * @param allowsAge whether a second is no matter.
   */
  async hideGone<Answer>(
    allowsAge: boolean,
    read: (isGone: IsGone) => Answer | Promise<Answer>,
  ): Promise<Answer> {
    const lookedAt = new Map<string, boolean>();
    for (;;) {
      const now = this.#clock.now();
      const inDoubt = new Set<string>();
      const answer = await read((record) => {
        if (record.lease === undefined) {
          return isLapsed(record, now);
        }
        const wasAlive = lookedAt.get(record.lease);
        if (wasAlive !== undefined) {
          return !wasAlive;
        }
        const standing = this.#attaching().standing(this.#scope, record.lease);
        if (standing === 'in doubt') {
          inDoubt.add(record.lease);
        }
        return standing !== 'alive';
      });
      if (inDoubt.size === 0) {
        return answer;
      }
      const alive = await this.#attaching().look(this.#scope, [...inDoubt], allowsAge);
      for (const id of inDoubt) {
        lookedAt.set(id, alive.has(id));
      }
    }
  }

  /**
   * For a writer: tells which of the records are gone, after it has ended the leases among theirs that have lapsed. A lease that is
   * first named in the batch that follows is alive: whoever attaches to it has read it (session-leases.ts, rule 2).
   */
  async settle(records: Iterable<StoredRecord<unknown> | undefined>): Promise<IsGone> {
    const leases = new Set([...records].flatMap((record) => record?.lease ?? []));
    const over = leases.size === 0 ? leases : await this.#attaching().settle(this.#scope, leases);
    const now = this.#clock.now();
    return (record) => (record.lease === undefined ? isLapsed(record, now) : over.has(record.lease));
  }

  #attaching(): SessionLeases {
    if (this.#sessions === undefined) {
      throw new Error('A record is attached to a lease, and these records were opened without leases.');
    }
    return this.#sessions;
  }
}
