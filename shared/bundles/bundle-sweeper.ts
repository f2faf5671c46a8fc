import { mapConcurrently } from '../platform/map-concurrently.ts';
import { isUnder, type StoredLease, type Sweeper, type SweepSummary } from '../records/index.ts';
import { BUNDLE_KIND, channelsPrefix, versionsPrefix } from './bundle.ts';
import type { RolloutAlarms } from './channels/rollout-alarms.ts';
import type { VersionUses } from './versions/version-uses.ts';

const AT_ONCE = 8;

/** Deals with what is due of bundles: the alarms of rollouts, and the uses of versions that have ended. */
export class BundleSweeper implements Sweeper {
  readonly #alarms: RolloutAlarms;
  readonly #uses: VersionUses;

  constructor(options: { readonly alarms: RolloutAlarms; readonly uses: VersionUses }) {
    this.#alarms = options.alarms;
    this.#uses = options.uses;
  }

  isFor({ scope }: StoredLease): boolean {
    return scope.kind === BUNDLE_KIND;
  }

  async sweepScope(due: readonly StoredLease[], summary: SweepSummary): Promise<void> {
    const alarms = due.filter(({ scope, lease }) => isUnder(channelsPrefix(scope.name), lease.key));
    await mapConcurrently(alarms, AT_ONCE, (held) => this.#alarms.attend(held, summary));
    const uses = due.filter(({ scope, lease }) => isUnder(versionsPrefix(scope.name), lease.key));
    await mapConcurrently(uses, AT_ONCE, (held) => this.#uses.collect(held, summary));
  }
}
