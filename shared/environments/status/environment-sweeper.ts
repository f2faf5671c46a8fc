import type { Clock } from '../../platform/clock.ts';
import type { Alarms, Scope, StoredLease, Sweeper, SweepSummary } from '../../records/index.ts';
import { ENVIRONMENT_KIND, environmentKey } from '../environment.ts';
import type { EnvironmentStatus } from './environment-status.ts';
import type { PlannedDestructions } from './planned-destructions.ts';

export interface EnvironmentSweeperOptions {
  readonly alarms: Alarms;
  readonly status: EnvironmentStatus;
  readonly destructions: PlannedDestructions;
  readonly clock: Clock;
}

/** How long, in milliseconds, one sweep asks status endpoints in all: others wait for what it does besides. */
const POLL_BUDGET = 15_000;
/** How long, in milliseconds, somebody who follows an operation to its end waits for the health of what it made. */
const FIRST_ROUND_BUDGET = 5_000;

/**
 * Looks at environments whose alarm rings: it has the key of the environment's record, and is raised before an operation begins that may
 * change what is to be looked at. While one is under way the alarm goes on ringing, so that nobody needs to raise it at the end.
 */
export class EnvironmentSweeper implements Sweeper {
  readonly #options: EnvironmentSweeperOptions;
  readonly #begun = new WeakMap<SweepSummary, number>();

  constructor(options: EnvironmentSweeperOptions) {
    this.#options = options;
  }

  isFor({ scope, lease }: StoredLease): boolean {
    return scope.kind === ENVIRONMENT_KIND && lease.key === environmentKey(scope.name);
  }

  async sweepScope(due: readonly StoredLease[], summary: SweepSummary): Promise<void> {
    const { alarms } = this.#options;
    for (const held of due) {
      await alarms.settle(held, await this.#attend(held.scope, this.#endOf(summary)));
    }
  }

  /** Looks at an environment at once, because its operation is over. */
  async look(scope: Scope): Promise<void> {
    const { alarms, status, clock } = this.#options;
    await alarms.raise(scope, environmentKey(scope.name));
    await status.update(scope, clock.now() + FIRST_ROUND_BUDGET);
  }

  /** @returns when to look again. */
  async #attend(scope: Scope, until: number): Promise<number | undefined> {
    const { status, destructions, clock } = this.#options;
    const destructionAt = await destructions.attend(scope);
    const now = clock.now();
    // The rest is left to the next sweep, which begins with those who wait longest.
    const roundAt = now < until ? await status.update(scope, until) : now;
    const times = [destructionAt, roundAt].filter((at) => at !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #endOf(summary: SweepSummary): number {
    const begun = this.#begun.get(summary) ?? this.#options.clock.now();
    this.#begun.set(summary, begun);
    return begun + POLL_BUDGET;
  }
}
