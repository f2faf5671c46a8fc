import fc from 'fast-check';
import { applyPatch } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import { diffJson } from '../../../shared/platform/json-patch.ts';

describe('the diff of two JSON values', () => {
  it('makes one the other, by an implementation of RFC 6902 that is not ours', () => {
    // A few names and values, so that the two have things in common; two of the names have to be escaped.
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(null, true, 0, 1, 'a', 'b'),
        fc.array(tie('value'), { maxLength: 6 }),
        fc.dictionary(fc.constantFrom('a', 'b', '~1', 'x/y', '', '0', '-'), tie('value')),
      ),
    }));
    fc.assert(
      fc.property(value, value, (before, after) => {
        const patch = diffJson(before, after);
        const document = { root: structuredClone(before) };
        const operations = patch.map((operation) => ({ ...operation, path: `/root${operation.path}` }));
        const faults = applyPatch(document, structuredClone(operations) as Parameters<typeof applyPatch>[1]);
        expect(faults.filter((fault) => fault !== null)).toEqual([]);
        expect(document.root).toEqual(after);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['nothing for equal values, whatever the order of members', { a: 1, b: [2] }, { b: [2], a: 1 }, []],
    ['the whole value where there was none', null, { a: 1 }, [{ op: 'replace', path: '', value: { a: 1 } }]],
    [
      'escaped names',
      { 'a/b': { '~': 1 } },
      { 'a/b': { '~': 2 } },
      [{ op: 'replace', path: '/a~1b/~0', value: 2 }],
    ],
    ['only what was put into an array', [1, 2, 3], [1, 9, 2, 3], [{ op: 'add', path: '/1', value: 9 }]],
    [
      'only what was taken out of an array, from its end',
      [1, 8, 9, 3],
      [1, 3],
      [
        { op: 'remove', path: '/2' },
        { op: 'remove', path: '/1' },
      ],
    ],
    ['what changed in an item', [{ a: 1 }, 2], [{ a: 3 }, 2], [{ op: 'replace', path: '/0/a', value: 3 }]],
  ])('has %s', (_, before, after, patch) => {
    expect(diffJson(before, after)).toEqual(patch);
  });

  it('takes no longer than the values are large', () => {
    const zeros = Array.from({ length: 100_000 }, () => 0);
    expect(
      diffJson(
        zeros,
        zeros.map(() => 1),
      ),
    ).toHaveLength(100_000);
  });
});
