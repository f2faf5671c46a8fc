import { describe, expect, it } from 'vitest';
import {
  indexedTerms,
  isPathIndexed,
  parseIndexingPolicy,
} from '../../../infra/local/cosmos/indexing-policy.ts';
import type { JsonObject } from '../../../infra/local/cosmos/json.ts';

const policy = (included: string[], excluded: string[], rest: JsonObject = {}) =>
  parseIndexingPolicy({
    includedPaths: included.map((path) => ({ path })),
    excludedPaths: excluded.map((path) => ({ path })),
    ...rest,
  });

describe('indexing policy', () => {
  it('without one everything but _etag is indexed, and nothing can be sought by itself', () => {
    const everything = parseIndexingPolicy(undefined);
    expect(isPathIndexed(everything, ['a', 'b'])).toBe(true);
    expect(isPathIndexed(everything, ['_etag'])).toBe(false);
    expect(everything.scalarPaths).toEqual([]);
  });

  it('the most specific path decides', () => {
    const mixed = policy(['/*', '/a/b/c/?'], ['/a/*']);
    expect(isPathIndexed(mixed, ['x'])).toBe(true);
    expect(isPathIndexed(mixed, ['a', 'x'])).toBe(false);
    expect(isPathIndexed(mixed, ['a', 'b', 'c'])).toBe(true);
    expect(isPathIndexed(mixed, ['a', 'b', 'c', 'd'])).toBe(false);
  });

  it('paths listed one by one can be sought; those through arrays cannot', () => {
    expect(policy(['/type/?', '/at/zone/?', '/tags/[]/?'], ['/*']).scalarPaths).toEqual([
      ['type'],
      ['at', 'zone'],
    ]);
  });

  it('id and _ts are always indexed, unless the mode is none', () => {
    expect(isPathIndexed(policy([], ['/*']), ['_ts'])).toBe(true);
    expect(isPathIndexed(policy([], [], { indexingMode: 'none' }), ['_ts'])).toBe(false);
  });

  it('a term is one indexed leaf value, each element of an array one', () => {
    const item = { id: 'a', type: 'x', tags: ['p', 'q'], value: { deep: [1, 2, 3] } };
    expect(indexedTerms(policy(['/type/?', '/tags/[]/?'], ['/*']), item)).toHaveLength(4);
    expect(indexedTerms(parseIndexingPolicy(undefined), item)).toHaveLength(7);
    expect(indexedTerms(policy([], [], { indexingMode: 'none' }), item)).toEqual([]);
  });

  it.each<[string, JsonObject]>([
    ['lacks the root path', { includedPaths: [{ path: '/a/?' }], excludedPaths: [] }],
    ['has a path without an end', { includedPaths: [{ path: '/a' }], excludedPaths: [{ path: '/*' }] }],
    ['has a path without a start', { includedPaths: [{ path: 'a/?' }], excludedPaths: [{ path: '/*' }] }],
    ['is lazy', { indexingMode: 'lazy' }],
    ['has a composite index of one path', { compositeIndexes: [[{ path: '/a' }]] }],
  ])('a policy that %s is a 400', (_, definition) => {
    expect(() => parseIndexingPolicy(definition)).toThrow(expect.objectContaining({ status: 400 }));
  });
});
