import { expect, test } from 'vitest';
import type { Change, Json } from '../../../shared/records/index.ts';
import { differsAt, wants } from '../../../shared/webhooks/subscription/wanted-change.ts';

function change(before: Json | undefined, after: Json | undefined): Change<Json> {
  const at = '2026-01-01T00:00:00.000Z';
  const common = { key: '/app/dm', revision: 2, actor: 'test', at, writeId: 'w', type: 'put' as const };
  return {
    ...common,
    ...(after !== undefined && { value: after }),
    ...(before !== undefined && {
      previous: { key: '/app/dm', value: before, revision: 1, createdAt: at, updatedAt: at },
    }),
  };
}

test.each<[string, Json | undefined, Json | undefined, string[], boolean]>([
  ['another value', { a: 1 }, { a: 2 }, ['/a'], true],
  ['another value elsewhere', { a: 1, b: 1 }, { a: 1, b: 2 }, ['/a'], false],
  ['any of several', { a: 1, b: 1 }, { a: 1, b: 2 }, ['/a', '/b'], true],
  ['something deeper', { a: { b: { c: 1 } } }, { a: { b: { c: 2 } } }, ['/a/b'], true],
  ['another order of members', { a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } }, ['/a'], false],
  ['null instead of nothing', {}, { a: null }, ['/a'], true],
  ['creation where it is there', undefined, { a: 1 }, ['/a'], true],
  ['creation where it is not', undefined, { b: 1 }, ['/a'], false],
  ['removal where it is there', { a: 1 }, undefined, ['/a'], true],
  ['removal where it is not', { b: 1 }, undefined, ['/a'], false],
  ['creation as such', undefined, null, [''], true],
  ['an item of an array', [1, 2], [1, 3], ['/1'], true],
  ['another item of an array', [1, 2], [1, 3], ['/0'], false],
  ['an index that is none', [1, 2], [1, 3], ['/01', '/-', '/length'], false],
  ['a member with escapes', { 'a/b~': 1 }, { 'a/b~': 2 }, ['/a~1b~0'], true],
  ['a member of the prototype', { a: 1 }, undefined, ['/toString', '/__proto__'], false],
  ['what is below a text', 'ab', 'cd', ['/0'], false],
])('%s is told apart', (_, before, after, pointers, expected) => {
  expect(differsAt(change(before, after), pointers)).toBe(expected);
});

test('all filters have to hold, and what is not filtered is wanted', () => {
  const put = change({ a: 1 }, { a: 2 });
  expect(wants({}, put)).toBe(true);
  expect(wants({ types: ['put', 'expire'] }, put)).toBe(true);
  expect(wants({ types: ['delete'] }, put)).toBe(false);
  expect(wants({ types: ['put'], changed: ['/b'] }, put)).toBe(false);
  expect(wants({ types: ['delete'], changed: ['/a'] }, put)).toBe(false);
});
