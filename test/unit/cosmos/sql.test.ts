import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CosmosError } from '../../../infra/local/cosmos/cosmos-error.ts';
import type { JsonValue } from '../../../infra/local/cosmos/json.ts';
import { compareStrings, compareValues } from '../../../infra/local/cosmos/sql/compare.ts';
import { constraintsOf } from '../../../infra/local/cosmos/sql/constraints.ts';
import { compile } from '../../../infra/local/cosmos/sql/evaluate.ts';
import { parseQuery } from '../../../infra/local/cosmos/sql/parse.ts';

const evaluate = (filter: string, item = {}) => {
  const { where } = parseQuery(`SELECT * FROM c WHERE ${filter}`);
  return where && compile(where, new Map<string, JsonValue>([['@list', [1, { a: 1 }]]]))(item);
};

describe('three-valued logic', () => {
  it.each([
    ['true AND c.no', undefined],
    ['false AND c.no', false],
    ['true OR c.no', true],
    ['false OR c.no', undefined],
    ['c.no AND c.no', undefined],
    ['NOT c.no', undefined],
    ['c.no IN (1, 2)', undefined],
    ['1 IN (c.no, 1)', true],
    ["1 = '1'", undefined],
    ["1 != '1'", undefined],
    ['null = null', true],
    ['undefined = undefined', undefined],
    ['NOT true OR true', true],
    ['true OR true AND false', true],
    ['STARTSWITH(1, 2)', undefined],
    ['ARRAY_CONTAINS(@list, 1)', true],
  ])('%s is %s', (filter, expected) => {
    expect(evaluate(filter)).toBe(expected);
  });

  it('names of the prototype are no properties', () => {
    expect(evaluate('IS_DEFINED(c.constructor)')).toBe(false);
    expect(evaluate('IS_DEFINED(c.__proto__)')).toBe(false);
  });
});

describe('order of values', () => {
  const value = fc.option(fc.oneof(fc.boolean(), fc.double({ noNaN: true }), fc.string({ unit: 'binary' })));

  it('is total: antisymmetric and transitive', () => {
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        expect(Math.sign(compareValues(a, b))).toBe(-Math.sign(compareValues(b, a)) + 0);
        if (compareValues(a, b) <= 0 && compareValues(b, c) <= 0)
          expect(compareValues(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('sorts texts as their UTF-8 bytes sort', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(Math.sign(compareStrings(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });
});

describe('constraints of a filter', () => {
  const constraints = (filter: string) =>
    constraintsOf(parseQuery(`SELECT * FROM c WHERE ${filter}`).where, new Map([['@r', 5]]));

  it('come from what every passing item must meet', () => {
    expect(constraints("c.type = 'x' AND (5 < c.n AND c.n <= 9) AND c.k BETWEEN 1 AND @r")).toEqual([
      { path: ['type'], equals: 'x' },
      { path: ['n'], lower: { value: 5, inclusive: false }, upper: { value: 9, inclusive: true } },
      { path: ['k'], lower: { value: 1, inclusive: true }, upper: { value: 5, inclusive: true } },
    ]);
  });

  it('are none for alternatives, negations and comparisons of paths', () => {
    expect(constraints('c.a = 1 OR c.b = 2')).toEqual([]);
    expect(constraints('NOT (c.a = 1)')).toEqual([]);
    expect(constraints('c.a != 1 AND c.a = c.b')).toEqual([]);
  });
});

describe('large filters', () => {
  const choices = (count: number) => Array.from({ length: count }, (_, number) => number);

  it('are answered as far as the service does', () => {
    expect(evaluate(`c.n IN (${choices(8000).join(', ')})`, { n: 7999 })).toBe(true);
    const either = choices(1999).map((number) => `c.n = ${number}`);
    expect(evaluate(either.join(' OR '), { n: 1998 })).toBe(true);
    expect(evaluate(`${'('.repeat(150)}c.n = 1${')'.repeat(150)}`, { n: 1 })).toBe(true);
  });

  it('are refused beyond that, not failed upon', () => {
    for (const filter of [
      Array.from({ length: 20_000 }, () => 'true').join(' OR '),
      `${'('.repeat(20_000)}true${')'.repeat(20_000)}`,
      `${'NOT '.repeat(20_000)}true`,
      `c.a = ${'['.repeat(20_000)}`,
    ]) {
      expect(() => parseQuery(`SELECT * FROM c WHERE ${filter}`)).toThrow(CosmosError);
    }
  });
});

describe('texts', () => {
  it.each([
    [String.raw`'it\'s'`, "it's"],
    [String.raw`"a\"b\\c\n\u0041"`, 'a"b\\c\nA'],
    ["'it''s'", undefined],
  ])('%s is read as the service reads it', (literal, text) => {
    if (text === undefined) expect(() => evaluate(`c.a = ${literal}`)).toThrow(/SC1001/);
    else expect(evaluate(`c.a = ${literal}`, { a: text })).toBe(true);
  });
});
