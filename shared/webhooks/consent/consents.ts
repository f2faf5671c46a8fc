import { createHash, timingSafeEqual } from 'node:crypto';
import { type Clock, toTimestamp } from '../../platform/clock.ts';
import { conflict, invalid, isUnavailable, notFound } from '../../platform/errors.ts';
import type { CallerOf } from '../../platform/http/caller.ts';
import type { Precondition } from '../../platform/http/precondition.ts';
import type { Author } from '../../platform/http/request.ts';
import { canonicalLocation } from '../../platform/http/response.ts';
import type { Random } from '../../platform/random.ts';
import type { Sealer } from '../../platform/sealer.ts';
import { USER_AGENT } from '../../platform/user-agent.ts';
import type { DeliveryQueue } from '../delivery/delivery-queue.ts';
import { postpone } from '../delivery/postpone.ts';
import type { ConsentMessage } from '../delivery/queue-message.ts';
import { pauseAfter } from '../delivery/retry-ladder.ts';
import type { AskForConsent, ConsentAnswer } from '../endpoint/webhook-client.ts';
import type { Activation } from '../subscription/activation.ts';
import { checkMaker, mayStillWatch } from '../subscription/makers.ts';
import type { Consent, Subscription, SubscriptionValue } from '../subscription/subscription.ts';
import type { SubscriptionInput } from '../subscription/subscription-input.ts';
import type { CreateOptions, IssuedSubscription, Subscriptions } from '../subscription/subscriptions.ts';
import {
  awaitingConsent,
  consentStep,
  type Judgement,
  judgeAnswer,
  judgePermission,
  REQUESTED_RATE_PER_MINUTE,
  withGrant,
  withoutConsent,
} from './consent-rules.ts';

export interface ConsentsOptions {
  readonly subscriptions: Subscriptions;
  readonly activation: Activation;
  readonly queue: Pick<DeliveryQueue, 'schedule'>;
  readonly askForConsent: AskForConsent;
  readonly sealer: Sealer;
  readonly callerOf: CallerOf;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether endpoints are asked unless a subscription says otherwise. */
  readonly isDefault: boolean;
  /** Pauses between the questions to an endpoint that does not grant it, in seconds. */
  readonly retrySeconds: readonly number[];
}

/** After the last one the endpoint is asked no more by itself. */
export const CONSENT_RETRY_SECONDS: readonly number[] = [60, 600, 3_600, 21_600, 86_400];

const AUTHOR: Author = { actor: 'system:webhooks' };

/**
 * Asks endpoints whether they may be called (CloudEvents, HTTP 1.1 Web Hooks for Event Delivery 1.0.2, section 4). A subscription is
 * stored unconfirmed, its endpoint is asked while the client waits, and again by messages of the queue; the first of these
 * is scheduled before the subscription is stored, so that a process that is killed in between leaves nobody unasked. The
 * endpoint consents by its answer, or at any time by the callback that it was sent.
 *
 * All methods throw SkerryError `unavailable` when the database does not answer, and what the bus throws when it does not.
 */
export class Consents {
  readonly #options: ConsentsOptions;

  constructor(options: ConsentsOptions) {
    this.#options = options;
  }

  /**
   * Creates a subscription, which is active at once if its endpoint consents or need not be asked.
   *
   * @param baseUrl under which callers reach this app, without a slash at its end.
   * @throws what `Subscriptions.create` throws; SkerryError `unavailable` when no key seals secrets.
   */
  async create(
    ns: string,
    input: SubscriptionInput,
    author: Author,
    baseUrl: string,
    { id = `sub_${this.#options.random.id()}`, ...how }: Omit<CreateOptions, 'settle'> = {},
  ): Promise<IssuedSubscription> {
    const { subscriptions, clock, isDefault } = this.#options;
    const step = consentStep(input.consent, input.endpoint, undefined, isDefault);
    if (step !== 'ask') {
      return await subscriptions.create(ns, input, author, { id, ...how });
    }
    subscriptions.check(input);
    const consent = this.#newConsent(ns, baseUrl);
    await this.#schedule(ns, id, consent, 1);
    const settle = (value: SubscriptionValue) => awaitingConsent(value, consent, clock.now());
    const { secret, ...created } = await subscriptions.create(ns, input, author, { id, ...how, settle });
    const asked = await this.#ask(ns, created, consent, author);
    return { ...asked, ...(secret !== undefined && { secret }) };
  }

  /**
   * Replaces a subscription, and asks for consent where that is called for.
   *
   * @throws what `Subscriptions.replace` throws, and as `create` does.
   */
  async replace(
    ns: string,
    id: string,
    input: SubscriptionInput,
    author: Author,
    baseUrl: string,
    precondition?: Precondition,
  ): Promise<Subscription> {
    const { subscriptions, activation, clock, isDefault } = this.#options;
    const stepFrom = (current: Subscription | SubscriptionValue) =>
      consentStep(input.consent, input.endpoint, current, isDefault);
    subscriptions.check(input);
    const isAsking = stepFrom(await subscriptions.get(ns, id)) === 'ask';
    const consent = isAsking ? this.#newConsent(ns, baseUrl) : undefined;
    if (consent !== undefined) {
      await this.#schedule(ns, id, consent, 1);
    }
    const settle = (value: SubscriptionValue, current: SubscriptionValue) => {
      const step = stepFrom(current);
      if (step !== 'ask') {
        return step === 'keep' ? value : withoutConsent(value);
      }
      if (consent === undefined) {
        throw conflict('The subscription was changed at the same time.', { fix: 'Try again.' });
      }
      return awaitingConsent(value, consent, clock.now());
    };
    const replaced = await subscriptions.replace(ns, id, input, author, precondition, settle);
    if (consent !== undefined && replaced.consent?.tokenHash === consent.tokenHash) {
      return await this.#ask(ns, replaced, consent, author);
    }
    return isFreed(replaced) ? await activation.activate(ns, id, author, free) : replaced;
  }

  /**
   * Asks an endpoint that has not consented once more, now.
   *
   * @throws SkerryError `not-found`, `conflict` when it need not consent, or the maker may not watch any more.
   */
  async confirm(ns: string, id: string, author: Author): Promise<Subscription> {
    const { subscriptions, activation } = this.#options;
    const subscription = await subscriptions.get(ns, id);
    const { consent } = subscription;
    if (isFreed(subscription)) {
      return await activation.activate(ns, id, author, free);
    }
    if (consent === undefined) {
      throw conflict('The endpoint is called without being asked for its consent.', {
        fix: 'Replace the subscription with consent: true to have it asked.',
      });
    }
    if (consent.grantedAt !== undefined) {
      return subscription;
    }
    await checkMaker(ns, subscription, this.#options.callerOf);
    return await this.#ask(ns, subscription, consent, author);
  }

  /**
   * Grants consent by the callback. To do so again is no fault.
   *
   * @param permission what the headers of the callback say.
   * @throws SkerryError `not-found` whatever does not fit, `invalid` for another origin and for a rate that is none.
   */
  async grant(
    ns: string,
    id: string,
    token: string,
    permission: Pick<ConsentAnswer, 'allowedOrigin' | 'allowedRate'>,
    author: Author,
  ): Promise<void> {
    const consent = (await this.#options.subscriptions.find(ns, id))?.consent;
    // Compared in any case, so that the time taken does not tell which subscriptions there are.
    const isKnown = isTokenOf(consent, token);
    if (consent === undefined || !isKnown) {
      throw notFound('This link grants nothing, or nothing any more.', {
        fix: 'Use the WebHook-Request-Callback of the newest request.',
      });
    }
    if (consent.grantedAt !== undefined && permission.allowedRate === undefined) {
      return;
    }
    const judgement = judgePermission(permission, consent.origin);
    if (!judgement.isGranted) {
      throw invalid(judgement.reason, {
        fix: 'Leave the header out, or send "*".',
      });
    }
    await this.#record(ns, id, consent, judgement, author);
  }

  /** Asks once more, as a message of the queue says, unless that is no longer called for. */
  async handle(message: ConsentMessage): Promise<void> {
    try {
      await this.#askAgain(message);
    } catch (error) {
      if (!isUnavailable(error)) {
        throw error;
      }
      await postpone(message, this.#options);
    }
  }

  async #askAgain({ ns, subscription: id, tokenHash, attempt }: ConsentMessage): Promise<void> {
    const subscription = await this.#options.subscriptions.find(ns, id);
    const consent = subscription?.consent;
    const isPending = consent?.tokenHash === tokenHash && consent.grantedAt === undefined;
    if (
      subscription === undefined ||
      consent === undefined ||
      !isPending ||
      subscription.state === 'disabled' ||
      !(await mayStillWatch(ns, subscription, this.#options.callerOf))
    ) {
      return;
    }
    const { consent: now } = await this.#ask(ns, subscription, consent, AUTHOR);
    if (now?.tokenHash === tokenHash && now.grantedAt === undefined) {
      await this.#schedule(ns, id, consent, attempt + 1);
    }
  }

  async #ask(
    ns: string,
    { id, endpoint }: Subscription,
    consent: Consent,
    author: Author,
  ): Promise<Subscription> {
    const { askForConsent, sealer } = this.#options;
    const { origin, baseUrl, tokenHash, sealedToken } = consent;
    const token = sealer.open(sealedToken, tokenPlace(ns, tokenHash));
    const answer = await askForConsent({
      endpoint,
      headers: {
        'user-agent': USER_AGENT,
        'webhook-request-origin': origin,
        'webhook-request-callback': canonicalLocation({ baseUrl, ns }, `webhook-consents/${id}/${token}`),
        'webhook-request-rate': String(REQUESTED_RATE_PER_MINUTE),
      },
    });
    return await this.#record(ns, id, consent, judgeAnswer(answer, origin), author);
  }

  /** Writes down what an endpoint said, unless another one is asked meanwhile or it consented already. */
  async #record(
    ns: string,
    id: string,
    { tokenHash }: Consent,
    judgement: Judgement,
    author: Author,
  ): Promise<Subscription> {
    const { activation, clock } = this.#options;
    const at = toTimestamp(clock.now());
    return await activation.activate(ns, id, author, (value) => {
      const { consent, state } = value;
      if (consent?.tokenHash !== tokenHash) {
        return undefined;
      }
      if (judgement.isGranted) {
        return withGrant(value, consent, judgement.ratePerMinute, at);
      }
      return state === 'unconfirmed' ? { ...value, reason: judgement.reason } : undefined;
    });
  }

  #newConsent(ns: string, baseUrl: string): Consent {
    const token = this.#options.random.id();
    const tokenHash = hashToken(token).toString('base64url');
    return {
      tokenHash,
      sealedToken: this.#options.sealer.seal(token, tokenPlace(ns, tokenHash)),
      baseUrl,
      origin: new URL(baseUrl).hostname,
    };
  }

  async #schedule(ns: string, id: string, { tokenHash }: Consent, attempt: number): Promise<void> {
    const { queue, clock, random, retrySeconds } = this.#options;
    const pause = pauseAfter(attempt, retrySeconds, random);
    if (pause !== undefined) {
      const message: ConsentMessage = { task: 'consent', ns, subscription: id, tokenHash, attempt };
      await queue.schedule(message, clock.now() + pause);
    }
  }
}

/** Whether a subscription waits for a consent that its endpoint need not give any more. */
function isFreed({ state, consent }: SubscriptionValue): boolean {
  return state === 'unconfirmed' && consent === undefined;
}

function free(value: SubscriptionValue): SubscriptionValue | undefined {
  return isFreed(value) ? { ...value, state: 'active' } : undefined;
}

function isTokenOf(consent: Consent | undefined, token: string): boolean {
  const given = hashToken(token);
  const expected = Buffer.from(consent?.tokenHash ?? '', 'base64url');
  return timingSafeEqual(given, expected.length === given.length ? expected : Buffer.alloc(given.length));
}

function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** What the token is sealed for. */
function tokenPlace(ns: string, tokenHash: string): readonly string[] {
  return [ns, 'consent', tokenHash];
}
