import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rights } from '../../../shared/access/policy/rights.ts';
import type { Keys } from '../../../shared/platform/http/index.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

/** Patterns are of `a` and `b`; keys have a letter more, which only a wildcard takes. */
const SEGMENTS = ['', ...'abc', ...[...'abc'].flatMap((first) => [...'abc'].map((second) => first + second))];

/** Every key of up to three segments of up to two letters. */
const UNIVERSE = SEGMENTS.flatMap((first) => [
  `/${first}`,
  ...SEGMENTS.flatMap((second) => [
    `/${first}/${second}`,
    ...SEGMENTS.map((third) => `/${first}/${second}/${third}`),
  ]),
]);

/** The keys that somebody asks about, by their texts alone. */
function keysIn(keys: Keys): string[] {
  if (typeof keys !== 'string') {
    return 'like' in keys ? keysLike(keys.like) : UNIVERSE.filter((key) => key.startsWith(keys.beginWith));
  }
  return UNIVERSE.filter((key) => key === keys || key.startsWith(keys.endsWith('/') ? keys : `${keys}/`));
}

function keysLike(pattern: string): string[] {
  const segments = pattern === '/' ? [] : pattern.slice(1).split('/');
  const source = segments.map((segment) =>
    segment === '**' ? '(?:/[^/]*)*' : `/${segment.replaceAll('*', '[^/]*')}`,
  );
  const expression = new RegExp(`^${source.join('')}(?:/.*)?$`);
  return UNIVERSE.filter((key) => expression.test(key));
}

const text = (characters: string, maxLength: number, minLength = 0) =>
  fc.array(fc.constantFrom(...characters), { minLength, maxLength }).map((letters) => letters.join(''));

const segments = fc.oneof(
  { weight: 3, arbitrary: text('ab*', 3, 1).map((letters) => letters.replaceAll(/\*+/g, '*')) },
  { weight: 1, arbitrary: fc.constant('**') },
);

const patterns = fc.oneof(
  fc.array(segments, { minLength: 1, maxLength: 4 }).map((chosen) => `/${chosen.join('/')}`),
  fc.constant('/'),
);

const questions: fc.Arbitrary<Keys> = fc.oneof(
  fc.array(text('ab', 2), { minLength: 1, maxLength: 3 }).map((segments) => `/${segments.join('/')}`),
  fc
    .tuple(fc.array(text('ab', 2), { maxLength: 2 }), text('ab', 1))
    .map(([whole, part]) => ({ beginWith: `/${[...whole, part].join('/')}` })),
);

const covers = (pattern: string, keys: Keys) =>
  new Rights([{ verbs: ['read'], keys: [pattern], ns: ['*'] }]).may('read', 'default', keys);

const options = { seed: printedSeed('policy'), numRuns: runs(150, 50_000) };

describe('a policy', () => {
  it.each<[pattern: string, keys: Keys, isCovered: boolean]>([
    ['/app', '/app/', true],
    ['/app/*', '/app/', true],
    ['/', '/app/', true],
    ['/app/*', '/app', false],
    ['/app/web-*', '/app/', false],
    ['/kv/s', { beginWith: '/kv/s/se' }, true],
    ['/kv/s/se*', { beginWith: '/kv/s/se' }, true],
    ['/kv/s/se*', { beginWith: '/kv/s/secret/x' }, true],
    ['/kv/s/se', { beginWith: '/kv/s/se' }, false],
    ['/kv/s/se', '/kv/s/secret', false],
    ['/kv/*', '/kv/*', true],
    ['/kv/a', '/kv/*', false],
    ['/**/public', '/kv/a/b/public/c', true],
    ['/**/public', '/kv/a/b', false],
    ['/', '/', true],
    ['/**', '/', true],
    ['/app', '/', false],
    ['/srv/web*', { like: '/srv/web-*' }, true],
    ['/srv/web-*', { like: '/srv/web*' }, false],
    ['/a/*', { like: '/a/**' }, false],
    ['/a', { like: '/a/**/b' }, true],
  ])('%s: %j is %s', (pattern, keys, isCovered) => {
    expect(covers(pattern, keys)).toBe(isCovered);
  });

  it('allows a range exactly if one of its patterns has every key in it', () => {
    fc.assert(
      fc.property(fc.array(patterns, { minLength: 1, maxLength: 2 }), questions, (allowed, keys) => {
        const rights = new Rights([{ verbs: ['read'], keys: allowed, ns: ['*'] }]);
        const asked = keysIn(keys);
        const isAllowed = allowed.some((pattern) => {
          const known = new Set(keysLike(pattern));
          return asked.every((key) => known.has(key));
        });
        expect(rights.may('read', 'default', keys)).toBe(isAllowed);
      }),
      options,
    );
  });

  it('covers another pattern only if it has all its keys', () => {
    fc.assert(
      fc.property(patterns, patterns, (wide, narrow) => {
        if (covers(wide, { like: narrow })) {
          const known = new Set(keysLike(wide));
          expect(keysLike(narrow).filter((key) => !known.has(key))).toEqual([]);
        }
      }),
      options,
    );
  });

  it('covers itself', () => {
    fc.assert(
      fc.property(patterns, (pattern) => {
        expect(covers(pattern, { like: pattern })).toBe(true);
      }),
      options,
    );
  });
});
