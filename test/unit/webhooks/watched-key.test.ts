import { describe, expect, test } from 'vitest';
import { hears } from '../../../shared/webhooks/subscription/watched-key.ts';

const SKEW = 1000;

describe('a subscription to keys of one scope', () => {
  const subscription = { key: '/app/dm', since: { scope: 'default:app:', revision: 7 } };
  const change = { scope: 'default:app:', revision: 8, key: '/app/dm', at: '2026-01-01T00:00:00Z' };

  test.each([
    ['its key', change, true],
    ['what is below its key', { ...change, key: '/app/dm/x' }, true],
    ['a key that only begins alike', { ...change, key: '/app/dm2' }, false],
    ['another key', { ...change, key: '/app/other' }, false],
    ['the revision it began at', { ...change, revision: 7 }, false],
    [
      'an older revision, whatever the clocks say',
      { ...change, revision: 6, at: '2099-01-01T00:00:00Z' },
      false,
    ],
    ['another scope', { ...change, scope: 'default:srv:dm', revision: 9 }, false],
  ])('judges %s', (_, candidate, expected) => {
    expect(hears(subscription, candidate, SKEW)).toBe(expected);
  });

  test('with a trailing slash hears only of what is below', () => {
    const below = { ...subscription, key: '/app/' };
    expect(hears(below, { ...change, key: '/app/dm' }, SKEW)).toBe(true);
    expect(hears(below, { ...change, key: '/app/' }, SKEW)).toBe(false);
  });
});

describe('a subscription to keys of several scopes', () => {
  const subscription = { key: '/', since: { at: '2026-01-01T00:00:10.000Z' } };
  const change = { scope: 'default:srv:web', revision: 1, key: '/srv/web/a' };

  test.each([
    ['a later change', '2026-01-01T00:00:10.001Z', true],
    ['a change at the same time', '2026-01-01T00:00:10.000Z', true],
    ['a time without milliseconds, as the real host rewrites it', '2026-01-01T00:00:10Z', true],
    ['an older change within the clock skew', '2026-01-01T00:00:09.000Z', true],
    ['an older change', '2026-01-01T00:00:08.999Z', false],
  ])('judges %s', (_, at, expected) => {
    expect(hears(subscription, { ...change, at }, SKEW)).toBe(expected);
  });
});
