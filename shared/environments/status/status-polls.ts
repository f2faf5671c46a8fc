import type { Clock } from '../../platform/clock.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import type { Random } from '../../platform/random.ts';
import { USER_AGENT } from '../../platform/user-agent.ts';
import { describeFault, type Exchange } from '../../webhooks/index.ts';

export interface StatusPollsOptions {
  /** The way out to other people's endpoints. */
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly random: Random;
}

/** Endpoints of one environment that are asked at a time. */
const AT_ONCE = 16;
/** Who takes longer to say how it is, is not well. */
const TIMEOUT_MILLISECONDS = 5_000;
/** The status says it all; so much of a body may come before its connection is cut off. */
const MAX_BYTES = 4_096;

/** Asks status endpoints how they are: 2xx is well, and all else is not, redirects too. */
export class StatusPolls {
  readonly #options: StatusPollsOptions;

  constructor(options: StatusPollsOptions) {
    this.#options = options;
  }

  /**
   * Asks each endpoint once, from any of them on, so that all get their turn where time is short.
   *
   * @param until milliseconds since the Unix epoch: from then on no further ones are asked.
   * @returns by endpoint that was asked: what is wrong with it, or undefined where it is well.
   */
  async ask(endpoints: readonly string[], until: number): Promise<ReadonlyMap<string, string | undefined>> {
    const { clock, random } = this.#options;
    const distinct = [...new Set(endpoints)];
    const first = Math.floor(random.fraction() * distinct.length);
    const inTurn = [...distinct.slice(first), ...distinct.slice(0, first)];
    const answers = new Map<string, string | undefined>();
    await mapConcurrently(inTurn, AT_ONCE, async (endpoint) => {
      if (clock.now() < until) {
        answers.set(endpoint, await this.#askOne(endpoint));
      }
    });
    return answers;
  }

  async #askOne(endpoint: string): Promise<string | undefined> {
    try {
      const { status } = await this.#options.exchange({
        method: 'GET',
        endpoint,
        headers: { 'user-agent': USER_AGENT },
        timeoutMilliseconds: TIMEOUT_MILLISECONDS,
        maxBytes: MAX_BYTES,
      });
      return status >= 200 && status < 300 ? undefined : `HTTP ${status}`;
    } catch (fault) {
      return describeFault(fault, TIMEOUT_MILLISECONDS);
    }
  }
}
