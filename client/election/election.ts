import { backoff } from '../transport/backoff.ts';
import { isPassing, SkerryProblem } from '../transport/problem.ts';
import type { Timing } from '../transport/timing.ts';
import type { CallOptions } from '../transport/transport.ts';
import { uniqueId } from '../transport/unique-id.ts';
import type { Elections, Grant } from './elections.ts';
import { type Moment, millisecondsSince, momentOf, Renewal } from './renewal.ts';

/** Seconds that one call may wait for its turn. */
const WAIT = 20;

export interface CampaignOptions extends CallOptions {
  /** How this one is called among the candidates; a unique name unless told. */
  readonly candidate?: string | undefined;
  /** Seconds after which a leader that vanished is replaced, at the earliest; 15 unless told. */
  readonly ttl?: number | undefined;
  /** Told of each fault that the campaign gets over by itself. */
  readonly onFault?: ((error: unknown) => void) | undefined;
}

/** One election of Skerry, of which at most one candidate is leader at a time. */
export class Election {
  readonly name: string;
  readonly #elections: Elections;
  readonly #timing: Timing;

  constructor(name: string, elections: Elections, timing: Timing) {
    this.name = name;
    this.#elections = elections;
    this.#timing = timing;
  }

  /** @returns undefined where nobody leads. */
  async leader(options: CallOptions = {}): Promise<Grant | undefined> {
    return await this.#elections.leader(this.name, options);
  }

  /**
   * Waits until this candidate leads, through outages as well.
   *
   * @throws SkerryProblem when Skerry refuses for good, or the reason of `options.signal`, which matters no more once it leads.
   */
  async campaign(options: CampaignOptions = {}): Promise<Leadership> {
    const { candidate = uniqueId(), ttl = 15, signal, onFault } = options;
    const { random, wait } = this.#timing;
    for (let failures = 0; ; ) {
      signal?.throwIfAborted();
      const sentAt = momentOf(this.#timing);
      try {
        const grant = await this.#elections.campaign(this.name, { candidate, ttl, wait: WAIT, signal });
        const heldSince = await this.#confirm(grant, sentAt, signal);
        if (heldSince !== undefined) return new Leadership(grant, this.#elections, heldSince, this.#timing);
      } catch (error) {
        const isBeaten = error instanceof SkerryProblem && error.status === 409;
        if (!isBeaten && !isPassing(error)) throw error;
        if (!isBeaten) onFault?.(error);
        // Skerry lets a call wait for its turn; where it did not, this one asks less and less often.
        const hasWaited = isBeaten && millisecondsSince(sentAt, this.#timing) > 1000;
        failures = hasWaited ? 0 : failures + 1;
        if (!hasWaited) await wait(backoff(failures, random()), signal);
      }
    }
  }

  /** A grant that came long after it was asked for is renewed at once, because only the time of sending is known. */
  async #confirm(
    { token, ttl }: Grant,
    askedAt: Moment,
    signal: AbortSignal | undefined,
  ): Promise<Moment | undefined> {
    if (millisecondsSince(askedAt, this.#timing) < (ttl * 1000) / 3) return askedAt;
    const sentAt = momentOf(this.#timing);
    const renewed = await this.#elections.renew(this.name, token, { signal });
    return renewed && sentAt;
  }
}

/** What the leader of an election holds, as long as it can renew it. */
export class Leadership {
  readonly name: string;
  readonly candidate: string;
  /** Greater than every leader's before: hand it to what you write to, so that it can refuse those who were overtaken. */
  readonly token: number;
  readonly #elections: Elections;
  readonly #renewal: Renewal;

  constructor({ name, candidate, token, ttl }: Grant, elections: Elections, sentAt: Moment, timing: Timing) {
    this.name = name;
    this.candidate = candidate;
    this.token = token;
    this.#elections = elections;
    this.#renewal = new Renewal({
      name: `The leadership of "${name}"`,
      ttl,
      sentAt,
      renew: async (signal) => (await elections.renew(name, token, { signal })) !== undefined,
      timing,
    });
  }

  /** Aborted when the leadership is lost, before anybody else can have it, or given up. */
  get signal(): AbortSignal {
    return this.#renewal.signal;
  }

  get isLeader(): boolean {
    return this.#renewal.isHeld;
  }

  /** Makes room for another leader at once. */
  async resign(options: CallOptions = {}): Promise<void> {
    if (this.signal.aborted) return;
    this.#renewal.end(new Error(`The leadership of "${this.name}" was given up.`));
    await this.#elections.resign(this.name, this.token, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resign();
  }
}
