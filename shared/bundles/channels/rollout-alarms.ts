import type { Clock } from '../../platform/clock.ts';
import type { Leases, Records, Scope, StoredLease, StoredRecord, SweepSummary } from '../../records/index.ts';
import type { ChannelValue } from './channel.ts';
import { advance, dueAt } from './rollout.ts';

/*
 * What wakes a rollout when a step has baked. A rollout under way has an alarm: a lease with the key of its channel, which the sweep finds
 * when it is due. Who follows these rules may die between any two steps:
 *
 * 1. The alarm is written before the record that begins or resumes a rollout, and rings at once: whatever becomes of that record, the
 *    sweep has a look. A record that is decided later than 20 s after its alarm is not written; the alarm is raised again first.
 * 2. The sweep reads the record after the alarm. It advances the rollout if that is due, which is decided on the newest state.
 * 3. Only an alarm that was raised three minutes ago or longer is moved to where the step has baked, or removed where nothing bakes: every
 *    record that counts on it stands by then, though the clocks of who raised it and of the sweep be a minute apart. Before that it goes
 *    on ringing. Both are conditional on the alarm as it was read before the record, so that who raises it meanwhile wins.
 *
 * So for every record with a rollout that bakes there is an alarm, and it rings no later than the step has baked. Where that is broken all the
 * same (leases that were lost, a process that stood still between a decision and its write), cleanup finds the rollout overdue, and raises its
 * alarm again.
 */

/** How long, in milliseconds, a record may count on an alarm that was raised for it. */
const RAISED_FOR = 20_000;
/** How long, in milliseconds, an alarm is left ringing; more than `RAISED_FOR`, what clocks differ by, and what a batch may take on its way. */
const SETTLING_TIME = 180_000;
/** How long, in milliseconds, a step may have been due before somebody other than the sweep sees to it. */
const OVERDUE_AFTER = 600_000;

const AUTHOR = { actor: 'system:rollout' };

export interface RolloutAlarmsOptions {
  readonly records: Records;
  readonly leases: Leases;
  readonly clock: Clock;
}

/** Sees to it that rollouts go on. All methods throw SkerryError `unavailable`. */
export class RolloutAlarms {
  readonly #records: Records;
  readonly #leases: Leases;
  readonly #clock: Clock;

  constructor({ records, leases, clock }: RolloutAlarmsOptions) {
    this.#records = records;
    this.#leases = leases;
    this.#clock = clock;
  }

  /** To be called before a record is written whose rollout bakes; what comes back tells the decision whether that is recent enough. */
  async raise(scope: Scope, key: string): Promise<RaisedAlarm> {
    for (;;) {
      const now = this.#clock.now();
      const held = await this.#leases.read(scope, key);
      const alarm = { key, state: 'live', renewedAt: now, expiresAt: now } as const;
      if ((await this.#leases.write(scope, alarm, held)) !== undefined) {
        return { isRecent: () => this.#clock.now() - now < RAISED_FOR };
      }
    }
  }

  /** Deals with an alarm that rings. */
  async attend(held: StoredLease, summary: SweepSummary): Promise<void> {
    const { scope, lease } = held;
    const rollout = await this.#advance(scope, lease.key, summary);
    if (this.#clock.now() - lease.renewedAt < SETTLING_TIME) {
      return;
    }
    const due = dueAt(rollout);
    if (due === undefined) {
      await this.#leases.remove(held);
    } else {
      await this.#leases.write(scope, { ...lease, expiresAt: due }, held);
    }
  }

  /**
   * Raises the alarms of rollouts that should have gone on long ago: so that none waits for ever.
   *
   * @param channels the bundle's.
   * @returns how many those are.
   */
  async raiseOverdue(scope: Scope, channels: readonly StoredRecord<ChannelValue>[]): Promise<number> {
    const overdue = channels.filter(({ value }) => isDue(value, this.#clock.now() - OVERDUE_AFTER));
    for (const { key } of overdue) await this.raise(scope, key);
    return overdue.length;
  }

  /** @returns the channel's rollout as it stands after that. */
  async #advance(scope: Scope, key: string, summary: SweepSummary) {
    const seen = await this.#records.get<ChannelValue>(scope, key);
    if (!isDue(seen?.value, this.#clock.now())) {
      return seen?.value.rollout;
    }
    const { changed, record } = await this.#records.commit<ChannelValue>(scope, {
      key,
      ...AUTHOR,
      decide: (current) => {
        // The step bakes from now on, however long this write waited.
        const now = this.#clock.now();
        return current !== undefined && isDue(current.value, now)
          ? { type: 'put', value: advance(current.value, now) }
          : { type: 'keep' };
      },
    });
    summary.advanced += changed ? 1 : 0;
    return record?.value.rollout;
  }
}

export interface RaisedAlarm {
  /** Whether a record that is decided now may count on it. */
  isRecent(): boolean;
}

function isDue(channel: ChannelValue | undefined, now: number): boolean {
  const due = dueAt(channel?.rollout);
  return due !== undefined && due <= now;
}
