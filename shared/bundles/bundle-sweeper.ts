import { mapConcurrently } from '../platform/map-concurrently.ts';
import { isUnder, type StoredLease, type Sweeper, type SweepSummary } from '../records/index.ts';
import { BUNDLE_KIND, channelsPrefix } from './bundle.ts';
import type { RolloutAlarms } from './channels/rollout-alarms.ts';

const ALARMS_AT_ONCE = 8;

/** Deals with what is due of bundles: the alarms of rollouts. */
export class BundleSweeper implements Sweeper {
  readonly #alarms: RolloutAlarms;

  constructor(options: { readonly alarms: RolloutAlarms }) {
    this.#alarms = options.alarms;
  }

  isFor({ scope }: StoredLease): boolean {
    return scope.kind === BUNDLE_KIND;
  }

  async sweepScope(due: readonly StoredLease[], summary: SweepSummary): Promise<void> {
    const alarms = due.filter(({ scope, lease }) => isUnder(channelsPrefix(scope.name), lease.key));
    await mapConcurrently(alarms, ALARMS_AT_ONCE, (held) => this.#alarms.attend(held, summary));
  }
}
