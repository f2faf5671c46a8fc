import { momentOf, Renewal } from '../election/renewal.ts';
import type { Timing } from '../transport/timing.ts';
import type { CallOptions } from '../transport/transport.ts';
import type { KeyLease, KeyLeases } from './key-leases.ts';

/** A session lease that is renewed as long as this process lives: keys that are put with its id live as long. */
export class KeySession {
  /** As it was granted; it is renewed since. */
  readonly lease: KeyLease;
  readonly #leases: KeyLeases;
  readonly #renewal: Renewal;

  private constructor(lease: KeyLease, leases: KeyLeases, renewal: Renewal) {
    this.lease = lease;
    this.#leases = leases;
    this.#renewal = renewal;
  }

  /** @param ttl seconds that the keys outlive a process that vanished, at least. */
  static async open(
    leases: KeyLeases,
    ttl: number,
    timing: Timing,
    options: CallOptions,
  ): Promise<KeySession> {
    const sentAt = momentOf(timing);
    const lease = await leases.grant(ttl, options);
    const renew = async (signal: AbortSignal) => (await leases.renew(lease.id, { signal })) !== undefined;
    return new KeySession(
      lease,
      leases,
      new Renewal({ name: `The session "${lease.id}"`, ttl, sentAt, renew, timing }),
    );
  }

  get id(): string {
    return this.lease.id;
  }

  /** Aborted when the session is over, and its keys gone or about to go. */
  get signal(): AbortSignal {
    return this.#renewal.signal;
  }

  get isAlive(): boolean {
    return this.#renewal.isHeld;
  }

  /** Ends the session, and deletes its keys. */
  async close(options: CallOptions = {}): Promise<void> {
    if (this.signal.aborted) return;
    this.#renewal.end(new Error(`The session "${this.id}" was closed.`));
    await this.#leases.revoke(this.id, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
