import type { Clock } from '../../platform/clock.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import type { Leases, StoredLease, Sweeper, SweepSummary } from '../../records/index.ts';
import { ACCESS_SCOPE, tokenKey } from '../access-scope.ts';

/** Milliseconds that a use counts for: those that follow within it are not written. */
const PRECISION = 5 * 60 * 1000;
/** Tokens whose last written use a process remembers. */
const MAX_REMEMBERED = 10_000;

/**
 * When each token was last used, to five minutes: kept beside the log, as renewals are, for it is no change. With the lease of a token
 * that expires the sweep is done.
 */
export class LastUses implements Sweeper {
  readonly #leases: Pick<Leases, 'read' | 'write' | 'remove' | 'lookAtAll'>;
  readonly #clock: Clock;
  readonly #written = new RecentMap<string, number>(MAX_REMEMBERED);

  constructor(leases: Pick<Leases, 'read' | 'write' | 'remove' | 'lookAtAll'>, clock: Clock) {
    this.#leases = leases;
    this.#clock = clock;
  }

  /**
   * Has a use written down, without anybody waiting for it; what fails is written with a later use.
   *
   * @param expiresAt milliseconds since the Unix epoch: when the token ends.
   */
  note(id: string, expiresAt: number | undefined): void {
    const now = this.#clock.now();
    if (now - (this.#written.get(id) ?? Number.NEGATIVE_INFINITY) >= PRECISION) {
      this.#written.set(id, now);
      void this.#write(tokenKey(id), now, expiresAt).catch(() => {});
    }
  }

  /** Milliseconds since the Unix epoch, by id; of a token that was never used none. */
  async of(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const leases = await this.#leases.lookAtAll(ACCESS_SCOPE, ids.map(tokenKey), true);
    return new Map(
      ids.flatMap((id) => {
        const at = leases.get(tokenKey(id))?.renewedAt ?? Number.NEGATIVE_INFINITY;
        return Number.isFinite(at) ? [[id, at] as const] : [];
      }),
    );
  }

  async forget(id: string): Promise<void> {
    const held = await this.#leases.read(ACCESS_SCOPE, tokenKey(id));
    if (held !== undefined) {
      await this.#leases.remove(held);
    }
  }

  isFor({ scope }: StoredLease): boolean {
    return scope.kind === ACCESS_SCOPE.kind;
  }

  async sweepScope(due: readonly StoredLease[], summary: SweepSummary): Promise<void> {
    for (const held of due) {
      await this.#leases.remove(held);
      summary.collected += 1;
    }
  }

  /** Another process that comes first has written as much. */
  async #write(key: string, now: number, expiresAt: number | undefined): Promise<void> {
    const held = await this.#leases.read(ACCESS_SCOPE, key);
    if (held === undefined || now - held.lease.renewedAt >= PRECISION) {
      const lease = {
        key,
        state: 'live',
        renewedAt: now,
        ...(expiresAt !== undefined && { expiresAt }),
      } as const;
      await this.#leases.write(ACCESS_SCOPE, lease, held);
    }
  }
}
