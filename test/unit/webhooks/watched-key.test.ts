import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isUnder } from '../../../shared/records/index.ts';
import {
  checkWatchedKey,
  covers,
  hears,
  literalBeginning,
} from '../../../shared/webhooks/subscription/watched-key.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

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

describe('a pattern', () => {
  test.each([
    ['/srv/*/one', '/srv/web/one', true],
    ['/srv/*/one', '/srv/web/two', false],
    ['/srv/*', '/srv/web/one', false],
    ['/srv/*', '/srv/web', true],
    ['/srv/we*', '/srv/web', true],
    ['/srv/we*', '/srv/we', true],
    ['/srv/we*', '/srv/aweb', false],
    ['/srv/*e*/x', '/srv/web/x', true],
    ['/kv/a/**', '/kv/a/b/c/d', true],
    ['/kv/a/**', '/kv/ab/c', false],
    ['/kv/a/**/mtu', '/kv/a/mtu', true],
    ['/kv/a/**/mtu', '/kv/a/b/c/mtu', true],
    ['/kv/a/**/mtu', '/kv/a/b/mtu/c', false],
    ['/kv/**/a/*/c', '/kv/s/a/a/b/c', true],
    ['/kv/s/*', '/kv/s/', true],
    ['/kv/s/(a|b)+*', '/kv/s/(a|b)+', true],
    ['/kv/s/(a|b)+*', '/kv/s/a', false],
    ['/kv/s/blå*', '/kv/s/blåbær', true],
  ])('%s covers %s: %s', (pattern, key, expected) => {
    expect(covers(pattern, key)).toBe(expected);
  });

  test('covers what the definition says, letter by letter', () => {
    const segment = (letters: string[]) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 5 });
    const path = (segments: fc.Arbitrary<string>) =>
      fc.array(segments, { maxLength: 6 }).map((names) => `/${['kv', ...names].join('/')}`);
    const wildcard = { arbitrary: fc.constant('**'), weight: 1 };
    const patterns = path(fc.oneof({ arbitrary: segment(['a', 'b', '*']), weight: 3 }, wildcard));
    let covered = 0;
    fc.assert(
      fc.property(patterns, path(segment(['a', 'b'])), (pattern, key) => {
        fc.pre(pattern.includes('*'));
        const expected = isCovered(pattern.split('/'), key.split('/'));
        covered += expected ? 1 : 0;
        expect(covers(pattern, key)).toBe(expected);
        if (expected) expect(isUnder(literalBeginning(pattern), key)).toBe(true);
      }),
      { seed: printedSeed('patterns of keys'), numRuns: runs(5_000, 200_000) },
    );
    expect(covered).toBeGreaterThan(100);
  });

  test('takes no time to speak of, however it is written', () => {
    const begin = performance.now();
    for (const [pattern, key] of [
      [`/kv/${'a*'.repeat(247)}b`, `/kv/${'a'.repeat(490)}`],
      [`/kv/${'**/a/'.repeat(98)}b`, `/kv${'/a'.repeat(240)}`],
      [`/kv/${'**/*a*/'.repeat(70)}b`, `/kv${'/aa'.repeat(160)}`],
    ] as const) {
      expect(covers(pattern, key)).toBe(false);
    }
    expect(performance.now() - begin).toBeLessThan(500);
  });

  test.each([
    ['/kv/agent1/**', '/kv/agent1'],
    ['/kv/agent1/**/x*', '/kv/agent1'],
    ['/kv/agent1/*', '/kv/agent1'],
    ['/kv/agent1//**', '/kv/agent1'],
    ['/kv/a*/x', '/kv'],
    ['/srv/web/o*', '/srv/web'],
    ['/srv/web', '/srv/web'],
    ['/', '/'],
  ])('%s begins literally with %s', (key, beginning) => {
    expect(literalBeginning(key)).toBe(beginning);
  });
});

test.each([
  '/srv/*',
  '/srv/*/one',
  '/app/a*',
  '/app/**',
  '/kv/**/x',
  '/kv/s/a b*/**',
  '/reg/10.0.*',
  '/',
  '/app/dm',
])('%s can be subscribed to', (key) => {
  expect(() => checkWatchedKey(key)).not.toThrow();
});

test.each([
  ['*', 'literal kind'],
  ['/*', 'literal kind'],
  ['/**', 'literal kind'],
  ['/ap*/dm', 'literal kind'],
  ['app/*', 'literal kind'],
  ['/kv/a**', 'part of a segment'],
  ['/kv/***', 'part of a segment'],
  ['/hook/*', '"/hook/\\*" is neither'],
  ['/apps/*', 'neither'],
  ['/app/*/x', 'neither'],
  ['/srv/*/*/*', 'neither'],
  ['/srv/a b*', 'neither'],
  ['/kv/s/../*', 'neither'],
  ['/kv/s/*/', 'slash'],
  [`/kv/s/${'*'.repeat(500)}`, 'longer than 500'],
])('%s cannot be subscribed to', (key, fault) => {
  expect(() => checkWatchedKey(key)).toThrow(expect.objectContaining({ kind: 'invalid', field: 'key' }));
  expect(() => checkWatchedKey(key)).toThrow(new RegExp(fault));
});

/** By the definition of the wildcards, trying all that they may stand for. */
function isCovered(pattern: readonly string[], key: readonly string[]): boolean {
  const [wanted, ...others] = pattern;
  if (wanted === undefined) {
    return key.length === 0;
  }
  if (wanted === '**') {
    return key.some((_, index) => isCovered(others, key.slice(index))) || isCovered(others, []);
  }
  const [segment, ...rest] = key;
  return segment !== undefined && isSegmentCovered(wanted, segment) && isCovered(others, rest);
}

function isSegmentCovered(wanted: string, segment: string): boolean {
  if (wanted === '') {
    return segment === '';
  }
  if (wanted.startsWith('*')) {
    const others = wanted.slice(1);
    return Array.from({ length: segment.length + 1 }, (_, index) => segment.slice(index)).some((rest) =>
      isSegmentCovered(others, rest),
    );
  }
  return segment.startsWith(wanted.slice(0, 1)) && isSegmentCovered(wanted.slice(1), segment.slice(1));
}
