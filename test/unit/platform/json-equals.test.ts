import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonEquals } from '../../../shared/platform/json-equals.ts';

describe('JSON equality', () => {
  it('does not look at the order of members, at any depth', () => {
    expect(jsonEquals({ a: 1, b: { c: [1], d: null } }, { b: { d: null, c: [1] }, a: 1 })).toBe(true);
  });

  it.each([
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [
      [1, 2],
      [2, 1],
    ],
    [[], {}],
    [[undefined], []],
    [null, {}],
    [0, false],
    ['1', 1],
    [{ toString: 1 }, {}],
  ])('%j is not %j', (a, b) => {
    expect(jsonEquals(a, b)).toBe(false);
    expect(jsonEquals(b, a)).toBe(false);
  });

  it('takes an undefined member for none', () => {
    expect(jsonEquals({ a: 1, b: undefined }, { a: 1 })).toBe(true);
    expect(jsonEquals({ b: undefined }, { a: undefined })).toBe(true);
  });

  it('holds for every value and what is read back from its text', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(jsonEquals(value, JSON.parse(JSON.stringify(value)))).toBe(true);
      }),
    );
  });
});
