import type { ConsentAnswer } from '../endpoint/webhook-client.ts';
import type { Consent, SubscriptionValue } from '../subscription/subscription.ts';
import { withState } from '../subscription/with-state.ts';

/** What a new statement of a client means for the consent of its endpoint. */
export type ConsentStep = 'ask' | 'drop' | 'keep';

/** What an endpoint said to the question whether it may be called. */
export type Judgement =
  | { readonly isGranted: true; readonly ratePerMinute: number | undefined }
  | { readonly isGranted: false; readonly reason: string };

/** Requests a minute that are asked for, and are taken as allowed where consent says nothing of the rate. */
export const REQUESTED_RATE_PER_MINUTE = 600;

const RATE = /^[1-9]\d{0,8}$/;
const ASKED = 'The endpoint is asked for its consent.';

/**
 * Consent belongs to an endpoint: it stays as long as that stays, and saying the same again changes nothing.
 *
 * @param wanted what the client says, if anything.
 * @param current undefined for a new subscription.
 * @param isDefault whether endpoints are asked unless the client says otherwise.
 */
export function consentStep(
  wanted: boolean | undefined,
  endpoint: string,
  current: Pick<SubscriptionValue, 'format' | 'endpoint' | 'consent'> | undefined,
  isDefault: boolean,
): ConsentStep {
  if (current?.format === 'nesoi') {
    return 'keep';
  }
  if (wanted === false) {
    return 'drop';
  }
  const isSettled = wanted === undefined || current?.consent !== undefined;
  if (current?.endpoint === endpoint && isSettled) {
    return 'keep';
  }
  return (wanted ?? isDefault) ? 'ask' : 'drop';
}

/**
 * The value while its endpoint is asked: an active subscription is unconfirmed then, a paused one stays so.
 *
 * @param now milliseconds since the Unix epoch.
 */
export function awaitingConsent(value: SubscriptionValue, consent: Consent, now: number): SubscriptionValue {
  const asked = { ...value, consent };
  const isCalled = value.state === 'active' || value.state === 'unconfirmed';
  return isCalled ? withState(asked, 'unconfirmed', now, ASKED) : asked;
}

/** The value of who need not consent; unconfirmed before, it has to become active by `Activation`. */
export function withoutConsent({ consent: _, ...rest }: SubscriptionValue): SubscriptionValue {
  return rest;
}

/**
 * Reads the answer to OPTIONS (section 4.2 of the specification). A status alone is no consent, whatever it is. What the endpoint
 * wrote is not repeated in the reason: it may be the secret that it was sent.
 *
 * @param origin the one that was sent as `WebHook-Request-Origin`.
 */
export function judgeAnswer(answer: ConsentAnswer, origin: string): Judgement {
  const { status, error, allowedOrigin } = answer;
  if (status === undefined) {
    return refused(`The endpoint was asked for its consent in vain. ${error ?? ''}`.trimEnd());
  }
  if (status < 200 || status >= 300) {
    return refused(`The endpoint answered HTTP ${status} to the question for its consent.`);
  }
  if (allowedOrigin === undefined) {
    return refused(
      `The endpoint answered HTTP ${status} to the question for its consent, without WebHook-Allowed-Origin.`,
    );
  }
  return judgePermission(answer, origin);
}

/** Reads what comes with a permission; a callback says by itself that it is one, so that both may be missing. */
export function judgePermission(
  {
    allowedOrigin,
    allowedRate = String(REQUESTED_RATE_PER_MINUTE),
  }: Pick<ConsentAnswer, 'allowedOrigin' | 'allowedRate'>,
  origin: string,
): Judgement {
  if (allowedOrigin !== undefined && !isOrigin(allowedOrigin, origin)) {
    return refused(`The endpoint's WebHook-Allowed-Origin is neither "${origin}" nor "*".`);
  }
  const rate = allowedRate.trim();
  if (rate !== '*' && !RATE.test(rate)) {
    return refused(`The endpoint's WebHook-Allowed-Rate is neither a positive integer nor "*".`);
  }
  return { isGranted: true, ratePerMinute: rate === '*' ? undefined : Number(rate) };
}

/**
 * The value with the consent that its endpoint granted; unconfirmed before, it is active then.
 *
 * @param at RFC 3339, of the grant.
 */
export function withGrant(
  value: SubscriptionValue,
  consent: Consent,
  ratePerMinute: number | undefined,
  at: string,
): SubscriptionValue {
  const { ratePerMinute: _, grantedAt = at, ...asked } = consent;
  return {
    ...value,
    consent: { ...asked, grantedAt, ...(ratePerMinute !== undefined && { ratePerMinute }) },
    state: value.state === 'unconfirmed' ? 'active' : value.state,
  };
}

/** Both are names of the DNS. */
function isOrigin(allowed: string, origin: string): boolean {
  const text = allowed.trim();
  return text === '*' || text.toLowerCase() === origin.toLowerCase();
}

function refused(reason: string): Judgement {
  return { isGranted: false, reason };
}
