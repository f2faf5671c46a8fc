import type { Clock } from '../../platform/clock.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import { metrics } from '../../platform/telemetry/index.ts';
import type { Records } from '../records.ts';
import { scopeId } from '../scope.ts';
import type { StoredLease } from './lease-storage.ts';
import type { Leases } from './leases.ts';

/** Leases, and records with a time of their own, that one sweep takes up. */
const MAX_DUE = 20_000;
const SCOPES_AT_ONCE = 8;
/** How long, in milliseconds, a sweep takes up further scopes; the timer's next run goes on. */
const TIME_BUDGET = 40_000;

/** What a sweep did; `failed` names the scopes that it could not finish. */
export interface SweepSummary {
  expired: number;
  removed: number;
  /** Rollouts of bundles that went a step further. */
  advanced: number;
  /** Leases without a use that were deleted. */
  collected: number;
  /** Expiries that the guard holds back. */
  heldBack: number;
  /** Scopes left to the next run for want of time. */
  postponed: number;
  failed: { scope: string; error: unknown }[];
}

/** Who deals with the due leases of one sort: any number may run at once, and each goes on where another was cut off. */
export interface Sweeper {
  isFor(due: StoredLease): boolean;
  /** Deals with the leases of one scope, all of them its own. */
  sweepScope(due: readonly StoredLease[], summary: SweepSummary): Promise<void>;
}

export interface SweepOptions {
  readonly records: Records;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly sweepers: readonly Sweeper[];
}

/** Finds the leases that are due, once for all sorts, and hands them scope by scope to whom they concern; then what ends by itself. */
export class Sweep {
  readonly #records: Records;
  readonly #leases: Leases;
  readonly #clock: Clock;
  readonly #sweepers: readonly Sweeper[];

  constructor({ records, leases, clock, sweepers }: SweepOptions) {
    this.#records = records;
    this.#leases = leases;
    this.#clock = clock;
    this.#sweepers = sweepers;
  }

  /** @throws SkerryError `unavailable` when not even what is due can be read. */
  async run(): Promise<SweepSummary> {
    const summary: SweepSummary = {
      expired: 0,
      removed: 0,
      advanced: 0,
      collected: 0,
      heldBack: 0,
      postponed: 0,
      failed: [],
    };
    const startedAt = this.#clock.now();
    // What time does not suffice for is first in the next run.
    const due = (await this.#leases.due(startedAt, MAX_DUE)).sort(
      (one, other) => (one.lease.expiresAt ?? 0) - (other.lease.expiresAt ?? 0),
    );
    const tasks = this.#sweepers.flatMap((sweeper) =>
      [
        ...Map.groupBy(
          due.filter((held) => sweeper.isFor(held)),
          ({ scope }) => scopeId(scope),
        ),
      ].map(([scope, leases]) => ({ scope, run: () => sweeper.sweepScope(leases, summary) })),
    );
    await mapConcurrently(tasks, SCOPES_AT_ONCE, async ({ scope, run }) => {
      if (this.#clock.now() - startedAt > TIME_BUDGET) {
        summary.postponed += 1;
        return;
      }
      try {
        await run();
      } catch (error) {
        summary.failed.push({ scope, error });
      }
    });
    const { expired, failed } = await this.#records.expireLapsed(MAX_DUE);
    summary.expired += expired;
    summary.failed.push(...failed);
    metrics.leasesExpired.add({}, summary.expired);
    return summary;
  }
}
