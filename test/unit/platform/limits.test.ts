import { expect, it } from 'vitest';
import { limitsOf } from '../../../shared/platform/limits.ts';
import { readSettings } from '../../../shared/platform/settings.ts';

const given = (environment: Record<string, string>) =>
  limitsOf(
    readSettings({
      SKERRY_COSMOS: 'AccountEndpoint=https://a/;AccountKey=eA==;',
      SKERRY_SERVICEBUS: 'x',
      SKERRY_BLOB: 'x',
      ...environment,
    }),
  );

const USUAL = { requestsPerSecond: 100, heldWatches: 250, subscriptions: 1000 };
const NONE = { requestsPerSecond: undefined, heldWatches: undefined, subscriptions: undefined };
const SET = { SKERRY_RATE_LIMIT: '5', SKERRY_WATCH_MAX_HELD_PER_CALLER: '0', SKERRY_MAX_SUBSCRIPTIONS: '' };

it('there are limits where callers are told apart, unless settings say otherwise', () => {
  expect(given({})).toEqual(USUAL);
  expect(given({ SKERRY_LOCAL: 'true' })).toEqual(NONE);
  expect(given({ SKERRY_LOCAL: 'true', SKERRY_AUTH: 'on' })).toEqual(USUAL);
  expect(given(SET)).toEqual({ requestsPerSecond: 5, heldWatches: undefined, subscriptions: 1000 });
  expect(given({ ...SET, SKERRY_LOCAL: 'true' })).toEqual({ ...NONE, requestsPerSecond: 5 });
});
