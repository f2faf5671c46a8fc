import { expect, it } from 'vitest';
import { RecentMap } from '../../../shared/platform/recent-map.ts';

it('forgets what was used least recently beyond its limit, looking and replacing being uses', () => {
  const map = new RecentMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  expect(map.get('a')).toBe(1);
  map.set('c', 3);
  expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([1, undefined, 3]);
  map.set('a', 4);
  map.set('d', 5);
  expect([map.get('a'), map.get('c'), map.get('d')]).toEqual([4, undefined, 5]);
});

it('counts what it keeps by size where it is told how, and keeps nothing that is larger than all of it', () => {
  const map = new RecentMap<string, string>(10, (text) => text.length);
  map.set('a', '1234');
  map.set('b', '1234');
  map.set('a', '123456');
  expect([map.get('a'), map.get('b')]).toEqual(['123456', '1234']);
  map.set('c', '1');
  expect([map.get('a'), map.get('b'), map.get('c')]).toEqual([undefined, '1234', '1']);
  map.set('d', '12345678901');
  expect([map.get('b'), map.get('c'), map.get('d')]).toEqual([undefined, undefined, undefined]);
  map.set('e', '1234567890');
  expect(map.get('e')).toBe('1234567890');
});
