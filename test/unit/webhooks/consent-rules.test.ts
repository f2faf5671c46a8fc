import { describe, expect, test } from 'vitest';
import {
  awaitingConsent,
  type ConsentStep,
  consentStep,
  judgeAnswer,
  judgePermission,
  withGrant,
  withoutConsent,
} from '../../../shared/webhooks/consent/consent-rules.ts';
import type { Consent, SubscriptionValue } from '../../../shared/webhooks/subscription/subscription.ts';

const ORIGIN = 'skerry.example';
const NOW = Date.UTC(2026, 0, 2);
const AT = new Date(NOW).toISOString();
const consent: Consent = {
  tokenHash: 'h',
  sealedToken: 's',
  baseUrl: 'https://skerry.example',
  origin: ORIGIN,
};
const value: SubscriptionValue = {
  name: 'dm',
  key: '/app/dm',
  endpoint: 'https://one.example',
  format: 'standard',
  state: 'active',
  since: { at: AT },
};

describe('a new statement of a client', () => {
  test.each<
    [
      what: string,
      wanted: boolean | undefined,
      current: Partial<SubscriptionValue> | undefined,
      isDefault: boolean,
      step: ConsentStep,
    ]
  >([
    ['of a new subscription', undefined, undefined, true, 'ask'],
    ['of a new one where nobody is asked', undefined, undefined, false, 'drop'],
    ['that wants it', true, undefined, false, 'ask'],
    ['that does not want it', false, undefined, true, 'drop'],
    ['of the same endpoint', undefined, { consent }, true, 'keep'],
    ['of the same endpoint, which need not consent', undefined, {}, true, 'keep'],
    ['that wants what there is', true, { consent }, false, 'keep'],
    ['that wants it of the same endpoint, too', true, {}, false, 'ask'],
    ['that does not want it any more', false, { consent }, true, 'drop'],
    ['of another endpoint', undefined, { consent, endpoint: 'https://two.example' }, true, 'ask'],
    ['of another endpoint, wanted', true, { consent, endpoint: 'https://two.example' }, false, 'ask'],
    [
      'of another endpoint where nobody is asked',
      undefined,
      { consent, endpoint: 'https://two.example' },
      false,
      'drop',
    ],
    ['of a hook of Nesoi’s', true, { format: 'nesoi', endpoint: 'https://two.example' }, true, 'keep'],
  ])('%s', (_, wanted, current, isDefault, step) => {
    const before = current && { ...value, ...current };
    expect(consentStep(wanted, value.endpoint, before, isDefault)).toBe(step);
  });
});

describe('an answer to the question', () => {
  test.each([
    ['its origin and rate', { status: 200, allowedOrigin: ORIGIN, allowedRate: '120' }, 120],
    [
      'its origin in other letters',
      { status: 204, allowedOrigin: ' Skerry.Example ', allowedRate: ' 1 ' },
      1,
    ],
    ['all origins and no limit', { status: 202, allowedOrigin: '*', allowedRate: '*' }, undefined],
    ['no rate, which then is the one that was asked for', { status: 200, allowedOrigin: '*' }, 600],
  ])('with %s grants', (_, answer, ratePerMinute) => {
    expect(judgeAnswer(answer, ORIGIN)).toEqual({ isGranted: true, ratePerMinute });
  });

  test.each([
    ['nothing but a status', { status: 200 }, /HTTP 200 .* without WebHook-Allowed-Origin/],
    ['a rate alone', { status: 204, allowedRate: '*' }, /without WebHook-Allowed-Origin/],
    ['another origin', { status: 200, allowedOrigin: 'example' }, /Allowed-Origin/],
    ['a longer origin', { status: 200, allowedOrigin: `a.${ORIGIN}` }, /Allowed-Origin/],
    ['several origins', { status: 200, allowedOrigin: `${ORIGIN}, *` }, /Allowed-Origin/],
    ['a pattern', { status: 200, allowedOrigin: '*.example' }, /Allowed-Origin/],
    ['no origin', { status: 200, allowedOrigin: '' }, /Allowed-Origin/],
    ['a redirect', { status: 307, allowedOrigin: '*' }, /HTTP 307/],
    ['a refusal', { status: 405, allowedOrigin: '*' }, /HTTP 405/],
    ['an error', { status: 500, allowedOrigin: '*' }, /HTTP 500/],
    ['a rate of zero', { status: 200, allowedOrigin: '*', allowedRate: '0' }, /Allowed-Rate/],
    ['a negative rate', { status: 200, allowedOrigin: '*', allowedRate: '-1' }, /Allowed-Rate/],
    ['a broken rate', { status: 200, allowedOrigin: '*', allowedRate: '1.5' }, /Allowed-Rate/],
    ['a rate in words', { status: 200, allowedOrigin: '*', allowedRate: 'many' }, /Allowed-Rate/],
    ['nothing', { error: 'No answer within 5 s.' }, /in vain. No answer within 5 s\./],
  ])('with %s does not', (_, answer, reason) => {
    expect(judgeAnswer(answer, ORIGIN)).toEqual({ isGranted: false, reason: expect.stringMatching(reason) });
  });

  test('is not repeated, because it may be what was to be kept secret', () => {
    const judged = judgeAnswer({ status: 200, allowedOrigin: 'secret', allowedRate: 'secret' }, ORIGIN);
    expect(JSON.stringify(judged)).not.toContain('secret');
  });
});

test('a callback grants without saying anything, but not what it denies', () => {
  expect(judgePermission({}, ORIGIN)).toEqual({ isGranted: true, ratePerMinute: 600 });
  expect(judgePermission({ allowedRate: '*' }, ORIGIN)).toEqual({ isGranted: true });
  expect(judgePermission({ allowedOrigin: 'other.example' }, ORIGIN)).toMatchObject({ isGranted: false });
});

describe('the value', () => {
  const asked = awaitingConsent(value, consent, NOW);

  test('is unconfirmed until the grant, since it was asked', () => {
    expect(asked).toMatchObject({ state: 'unconfirmed', stateSince: AT, consent });
  });

  test('is active with the grant, and keeps when it was granted first', () => {
    const granted = withGrant(asked, consent, 60, AT);
    expect(granted).toMatchObject({ state: 'active', consent: { grantedAt: AT, ratePerMinute: 60 } });
    const again = withGrant(granted, granted.consent ?? consent, undefined, 'later');
    expect(again.consent).toEqual({ ...consent, grantedAt: AT });
  });

  test.each(['paused', 'disabled'] as const)('that is %s stays so', (state) => {
    const inactive = awaitingConsent({ ...value, state }, consent, NOW);
    expect(inactive.state).toBe(state);
    expect(withGrant(inactive, consent, undefined, AT)).toMatchObject({ state, consent: { grantedAt: AT } });
  });

  test('without consent is not active by itself', () => {
    expect(withoutConsent(asked)).toEqual({ ...asked, consent: undefined });
    expect(withoutConsent(asked)).not.toHaveProperty('consent');
  });
});
