import type { Clock } from '../platform/clock.ts';
import { Coalesced } from '../platform/coalesced.ts';
import { type Records, scopeId } from '../records/index.ts';
import { ACCESS_SCOPE } from './access-scope.ts';
import { AccessSnapshot } from './access-snapshot.ts';

/** How long, in milliseconds, what another process wrote may go unnoticed here. */
const MAX_AGE = 5_000;

/** The roles and tokens as they stand: at most five seconds old, and at once as this process wrote them. */
export class AccessDirectory {
  readonly #records: Pick<Records, 'listAll'>;
  readonly #clock: Clock;
  readonly #refresh = new Coalesced(() => this.#read());
  #snapshot: AccessSnapshot | undefined;
  /** Milliseconds since the Unix epoch; in the distant past once something is known to have changed since. */
  #provenAt = Number.NEGATIVE_INFINITY;
  /** How many changes this process has heard of. */
  #changes = 0;

  constructor({
    records,
    clock,
  }: {
    readonly records: Pick<Records, 'listAll' | 'onChange'>;
    readonly clock: Clock;
  }) {
    this.#records = records;
    this.#clock = clock;
    const own = scopeId(ACCESS_SCOPE);
    records.onChange((scope) => {
      if (scopeId(scope) === own) {
        this.#changes += 1;
        this.#provenAt = Number.NEGATIVE_INFINITY;
      }
    });
  }

  /** @throws SkerryError `unavailable` when the database does not answer. */
  async current(): Promise<AccessSnapshot> {
    if (this.#snapshot !== undefined && this.#clock.now() - this.#provenAt < MAX_AGE) {
      return this.#snapshot;
    }
    return await this.#refresh.ask();
  }

  async #read(): Promise<AccessSnapshot> {
    const askedAt = this.#clock.now();
    const changes = this.#changes;
    const { revision, records } = await this.#records.listAll<unknown>(ACCESS_SCOPE);
    if (this.#snapshot?.revision !== revision) {
      this.#snapshot = new AccessSnapshot(revision, records);
    }
    if (this.#changes === changes) {
      this.#provenAt = askedAt;
    }
    return this.#snapshot;
  }
}
