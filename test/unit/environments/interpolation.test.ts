import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fillIn,
  fillInFirst,
  InterpolationError,
  Later,
  type Reference,
} from '../../../shared/environments/planning/interpolation.ts';
import { memberAt } from '../../../shared/environments/planning/references.ts';
import type { Json } from '../../../shared/records/index.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const VALUES = JSON.parse(
  '{"n": 3, "list": [1, {"a": null}], "text": "t", "__proto__": {"polluted": 1}}',
) as Record<string, Json>;

function resolve([root, ...path]: Reference): Json | undefined {
  return root === 'parameters' ? memberAt(VALUES, path) : undefined;
}

describe('filling in', () => {
  it.each<[Json, Json]>([
    ['${parameters.n}', 3],
    ['${ parameters.list }', [1, { a: null }]],
    ['${parameters.list.1.a}', null],
    ['n=${parameters.n}, ${parameters.list}', 'n=3, [1,{"a":null}]'],
    ['${parameters.text}${parameters.text}', 'tt'],
    ['$${parameters.n} and $5 {} $', '${parameters.n} and $5 {} $'],
    ['$$${parameters.n}', '$${parameters.n}'],
    [{ 'key-${parameters.n}': ['${parameters.n}', true, null] }, { 'key-3': [3, true, null] }],
    ['', ''],
  ])('%j is %j', (text, expected) => {
    expect(fillIn(text, resolve)).toEqual(expected);
  });

  it.each([
    ['${parameters.n', 'A "${" is not closed'],
    ['${parameters}', 'no path of names'],
    ['${}', 'no path of names'],
    ['${a.b ${c.d}}', 'no path of names'],
    ['${parameters.unknown}', 'There is nothing that "${parameters.unknown}" stands for.'],
    ['${parameters.constructor}', 'There is nothing'],
    ['${parameters.list.length.toString}', 'There is nothing'],
    ['${parameters.text.length}', 'There is nothing'],
    ['${process.env.PATH}', 'There is nothing'],
  ])('%j is refused: %s', (text, message) => {
    expect(() => fillIn(text, resolve)).toThrow(InterpolationError);
    expect(() => fillIn(text, resolve)).toThrow(message);
  });

  it('refuses what references would make large, before it is', () => {
    const large = 'x'.repeat(64 * 1024);
    const text = Array.from({ length: 10_000 }, () => '${parameters.large}').join('');
    expect(() => fillIn(text, () => large)).toThrow('more than 256 KiB');
    expect(() => fillInFirst([text], () => large)).toThrow('more than 256 KiB');
    expect(fillIn('${a.b}${a.b}', () => large)).toHaveLength(2 * 64 * 1024);
  });

  it('treats a member named __proto__ as one like any other', () => {
    const filled = fillIn(VALUES, resolve) as Record<string, Json>;
    expect(Object.getPrototypeOf(filled)).toBe(Object.prototype);
    expect(JSON.stringify(filled)).toBe(JSON.stringify(VALUES));
    expect(fillIn('${parameters.__proto__.polluted}', resolve)).toBe(1);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('filling in twice', () => {
  /** Texts of parameters that look like references, or like escapes. */
  const texts = fc
    .array(fc.constantFrom('$', '{', '}', 'a', '.', '${resources.a.b.outputs.c}', '$${'), { maxLength: 8 })
    .map((parts) => parts.join(''));
  const values = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      texts,
      fc.integer(),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(texts, tie('value'), { maxKeys: 3 }),
    ),
  })).value;

  it('never looks into what came in, and knows what is for later', () => {
    fc.assert(
      fc.property(values, texts, (value, output) => {
        const first = fillInFirst(
          { whole: '${parameters.v}', part: 'x${parameters.v}y${resources.r.outputs.o}', literal: '$${z}' },
          ([root]) => (root === 'parameters' ? value : new Later(['resources', 't', 'r', 'outputs', 'o'])),
        );
        const asked: string[] = [];
        const second = fillIn(first, (reference) => {
          asked.push(reference.join('.'));
          return output;
        });
        const text = typeof value === 'string' ? value : JSON.stringify(value);
        expect(second).toEqual({ whole: value, part: `x${text}y${output}`, literal: '${z}' });
        expect(asked).toEqual(['resources.t.r.outputs.o']);
      }),
      { seed: printedSeed('interpolation'), numRuns: runs(500, 50_000) },
    );
  });
});
