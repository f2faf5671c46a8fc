import type { Clock } from '../../platform/clock.ts';
import type { CallerOf } from '../../platform/http/caller.ts';
import type { Random } from '../../platform/random.ts';
import type { RequestWriter } from '../notification/request-writer.ts';
import { isConsentMissing, notConfirmed } from '../subscription/activation.ts';
import { checkMaker } from '../subscription/makers.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import type { PostWebhook } from './webhook-client.ts';

export interface EndpointTestOptions {
  readonly subscriptions: Subscriptions;
  readonly requests: RequestWriter;
  readonly post: PostWebhook;
  readonly callerOf: CallerOf;
  readonly clock: Clock;
  readonly random: Random;
}

/** What became of a call: with `error` it failed, whether or not an answer came. */
export interface EndpointTestResult {
  /** Of the answer, if one came. */
  readonly status?: number;
  readonly durationMs: number;
  readonly error?: string;
  /** The start of the answer's body, at most 20,000 bytes of it. */
  readonly response?: string;
}

/** Calls an endpoint as for a change, with an event that tells of none; nothing is kept of it, and the endpoint's breaker has no say in it. */
export class EndpointTest {
  readonly #options: EndpointTestOptions;

  constructor(options: EndpointTestOptions) {
    this.#options = options;
  }

  /** @throws SkerryError `not-found`, `conflict` without the endpoint's consent or where the maker may not watch any more, `unavailable`. */
  async run(ns: string, id: string): Promise<EndpointTestResult> {
    const { subscriptions, requests, post, callerOf, clock, random } = this.#options;
    const subscription = await subscriptions.get(ns, id);
    if (isConsentMissing(subscription)) {
      throw notConfirmed(id);
    }
    await checkMaker(ns, subscription, callerOf);
    const startedAt = clock.now();
    const delivery = `test_${random.id()}`;
    const result = await post(requests.writeTest({ ns, subscription, delivery, now: startedAt }));
    const { status, error, body } = result;
    return {
      ...(status !== undefined && { status }),
      durationMs: clock.now() - startedAt,
      ...(error !== undefined && { error }),
      ...(body !== undefined && { response: body }),
    };
  }
}
