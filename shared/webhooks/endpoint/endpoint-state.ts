import type { Clock } from '../../platform/clock.ts';
import type { Subscription } from '../subscription/subscription.ts';
import { reserveSlots, SLOT_HORIZON_MILLISECONDS } from './call-slots.ts';
import { type EndpointHealth, healthOf } from './endpoint-health.ts';
import type { EndpointStorage, VersionedHealth } from './endpoint-storage.ts';

/** How old what a process knows may be. What it writes is proven against the newest. */
const MAX_AGE_MILLISECONDS = 2_000;
/** Writes of other processes that one write gives way to. */
const MAX_TRIES = 8;
/** A time that was set apart and is over for longer is lost, rather than made up for in a burst. */
const SLOT_AGE_MILLISECONDS = 1_000;

/** When to ask again for a slot that others were always faster to take. */
const CONTENTION_MILLISECONDS = 1_000;

/** A time, in milliseconds since the Unix epoch: when to call where it is set apart for the caller alone, else when to ask again. */
export interface CallSlot {
  readonly at: number;
  readonly isReserved: boolean;
}

/** What one process knows of an endpoint, and its way to change that for all of them. */
export class EndpointState {
  readonly #subscription: string;
  readonly #storage: EndpointStorage;
  readonly #clock: Clock;
  #known: VersionedHealth | undefined;
  #knownAt = 0;
  #reading: Promise<VersionedHealth> | undefined;
  #lastTurn: Promise<unknown> = Promise.resolve();
  /** Times that are set apart for this process, ascending. */
  #slots: readonly number[] = [];
  #waitingForSlots = 0;

  constructor(subscription: string, storage: EndpointStorage, clock: Clock) {
    this.#subscription = subscription;
    this.#storage = storage;
    this.#clock = clock;
  }

  /** As it was at most two seconds ago. */
  async read(subscription: Subscription): Promise<EndpointHealth> {
    const isFresh = this.#clock.now() - this.#knownAt <= MAX_AGE_MILLISECONDS;
    const known = isFresh ? this.#known : undefined;
    return healthOf((known ?? (await this.#load())).health, subscription);
  }

  /**
   * Writes what `rule` makes of the health, one change of this process after the other.
   *
   * @param rule returns what it was given where there is nothing to write; runs again when somebody else wrote first.
   * @returns the health afterwards; undefined when others always wrote first, and nothing is written.
   */
  async change(
    subscription: Subscription,
    rule: (health: EndpointHealth) => EndpointHealth,
  ): Promise<EndpointHealth | undefined> {
    return await this.#inTurn(() => this.#write(subscription, rule));
  }

  /**
   * The next time at which a call may be made by the allowed rate, set apart for the caller alone. They are reserved for a
   * second, or for all who wait, at a time; those of the next hour may all be taken.
   */
  async takeSlot(subscription: Subscription, ratePerMinute: number): Promise<CallSlot> {
    this.#waitingForSlots += 1;
    return await this.#inTurn(async () => {
      const now = this.#clock.now();
      this.#slots = this.#slots.filter((slot) => slot >= now - SLOT_AGE_MILLISECONDS);
      if (this.#slots.length === 0) {
        const count = Math.max(this.#waitingForSlots, Math.floor(ratePerMinute / 60));
        let slots: readonly number[] = [];
        const written = await this.#write(subscription, (health) => {
          const reserved = reserveSlots(health, ratePerMinute, count, now);
          slots = reserved.slots;
          return reserved.health;
        });
        if (written === undefined) {
          return { at: now + CONTENTION_MILLISECONDS, isReserved: false };
        }
        this.#slots = slots;
      }
      const [slot, ...others] = this.#slots;
      this.#slots = others;
      return slot === undefined
        ? { at: now + SLOT_HORIZON_MILLISECONDS, isReserved: false }
        : { at: slot, isReserved: true };
    }).finally(() => {
      this.#waitingForSlots -= 1;
    });
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#lastTurn.then(work);
    this.#lastTurn = turn.catch(() => {});
    return await turn;
  }

  async #write(
    subscription: Subscription,
    rule: (health: EndpointHealth) => EndpointHealth,
  ): Promise<EndpointHealth | undefined> {
    let known = this.#known ?? (await this.#load());
    for (let tries = 1; ; tries += 1) {
      const health = healthOf(known.health, subscription);
      const changed = rule(health);
      if (changed === health) {
        return health;
      }
      const written = await this.#storage.write(this.#subscription, known, changed);
      this.#reading = undefined;
      if (written !== undefined) {
        this.#keep(written);
        return changed;
      }
      if (tries === MAX_TRIES) {
        this.#known = undefined;
        return undefined;
      }
      known = await this.#load();
    }
  }

  /** All who ask at a time share a read. One that a write has overtaken is not kept. */
  async #load(): Promise<VersionedHealth> {
    const reading = this.#reading ?? this.#storage.read(this.#subscription);
    this.#reading = reading;
    try {
      const known = await reading;
      if (this.#reading === reading) {
        this.#keep(known);
      }
      return known;
    } finally {
      if (this.#reading === reading) {
        this.#reading = undefined;
      }
    }
  }

  #keep(known: VersionedHealth): void {
    this.#known = known;
    this.#knownAt = this.#clock.now();
  }
}
