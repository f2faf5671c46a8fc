import type { Clock } from '../../platform/clock.ts';
import {
  Alarms,
  type Leases,
  type RaisedAlarm,
  type Records,
  type Scope,
  type StoredLease,
  type StoredRecord,
  type SweepSummary,
} from '../../records/index.ts';
import type { ChannelValue } from './channel.ts';
import { advance, dueAt } from './rollout.ts';

/*
 * What wakes a rollout when a step has baked: a rollout under way has an alarm with the key of its channel, by the rules of
 * shared/records/leases/alarms.ts. So for every record with a rollout that bakes there is an alarm, and it rings no later than the step has
 * baked. Where that is broken all the same (leases that were lost, a process that stood still between a decision and its write), cleanup
 * finds the rollout overdue, and raises its alarm again.
 */

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
  readonly #alarms: Alarms;
  readonly #clock: Clock;

  constructor({ records, leases, clock }: RolloutAlarmsOptions) {
    this.#records = records;
    this.#alarms = new Alarms(leases, clock);
    this.#clock = clock;
  }

  /** To be called before a record is written whose rollout bakes. */
  async raise(scope: Scope, key: string): Promise<RaisedAlarm> {
    return await this.#alarms.raise(scope, key);
  }

  /** Deals with an alarm that rings. */
  async attend(held: StoredLease, summary: SweepSummary): Promise<void> {
    const { scope, lease } = held;
    const rollout = await this.#advance(scope, lease.key, summary);
    await this.#alarms.settle(held, dueAt(rollout));
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

function isDue(channel: ChannelValue | undefined, now: number): boolean {
  const due = dueAt(channel?.rollout);
  return due !== undefined && due <= now;
}
