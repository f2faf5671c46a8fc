import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { type Compaction, type Scope, scopeId } from '../records/index.ts';
import type { Retention } from './retention.ts';

/** What a run did; `failed` names the scopes that it could not finish. */
export interface CompactorSummary {
  /** Changes that were removed, and scopes that were looked at. */
  removed: number;
  scopes: number;
  /** Scopes left to the next run for want of time. */
  postponed: number;
  failed: { scope: string; error: unknown }[];
}

/** How long, in milliseconds, a run works; less than the five minutes that a function may take. */
const TIME_BUDGET = 200_000;

export interface CompactorOptions {
  readonly compaction: Compaction;
  readonly retention: Retention;
  readonly clock: Clock;
  readonly random: Random;
}

/** Compacts by age and number whatever the retention of its scope does not keep. Any number of runs may be under way at once. */
export class Compactor {
  readonly #options: CompactorOptions;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /** @throws SkerryError `unavailable` when not even the scopes can be found. */
  async run(): Promise<CompactorSummary> {
    const { compaction, retention, clock } = this.#options;
    const summary: CompactorSummary = { removed: 0, scopes: 0, postponed: 0, failed: [] };
    const deadline = clock.now() + TIME_BUDGET;
    const ruled = await retention.ruledScopes();
    const found = await compaction.findCompactable(retention.fallback.minDays);
    const scopes = new Map([...ruled, ...found].map((scope) => [scopeId(scope), scope]));
    for (const scope of this.#shuffle([...scopes.values()])) {
      if (clock.now() >= deadline) {
        summary.postponed += 1;
        continue;
      }
      const id = scopeId(scope);
      try {
        summary.scopes += 1;
        // Read scope by scope: a run takes minutes, and a rule holds from its answer on.
        summary.removed += await compaction.enforce(scope, await retention.policyOf(scope), deadline);
      } catch (error) {
        summary.failed.push({ scope: id, error });
      }
    }
    return summary;
  }

  /** In another order each time, so that scopes that take all the time do not always take it from the same others. */
  #shuffle(scopes: readonly Scope[]): Scope[] {
    return scopes
      .map((scope) => ({ scope, place: this.#options.random.fraction() }))
      .sort((one, other) => one.place - other.place)
      .map(({ scope }) => scope);
  }
}
