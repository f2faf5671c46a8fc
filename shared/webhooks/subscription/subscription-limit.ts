import { rateLimited } from '../../platform/rate-limited.ts';
import type { Records } from '../../records/index.ts';
import { type SubscriptionValue, subscriptionScope } from './subscription.ts';

/** Seconds: it takes somebody to delete one. */
const RETRY_SECONDS = 60;

/** How many subscriptions of a namespace one maker may have. */
export class SubscriptionLimit {
  readonly #records: Pick<Records, 'listAll'>;
  readonly #limit: number | undefined;

  /** @param limit none where it is undefined. */
  constructor(records: Pick<Records, 'listAll'>, limit: number | undefined) {
    this.#records = records;
    this.#limit = limit;
  }

  /**
   * To be asked before one is created; those who create at the same time may come to have a few more.
   *
   * @throws SkerryError `too-many-requests` where the actor has as many as one may have.
   */
  async check(ns: string, actor: string): Promise<void> {
    const limit = this.#limit;
    if (limit === undefined) {
      return;
    }
    const { records } = await this.#records.listAll<SubscriptionValue>(subscriptionScope(ns));
    if (records.filter(({ value }) => value.maker?.actor === actor).length >= limit) {
      throw rateLimited({ name: 'subscriptions', quota: limit }, RETRY_SECONDS, {
        detail: `This caller has ${limit} subscriptions in the namespace, as many as one may have.`,
        fix: 'Delete some of them, or watch more by one: "key" may be a pattern.',
      });
    }
  }
}
