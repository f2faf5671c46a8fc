import { describe, expect, it } from 'vitest';
import { pathOfKey, recordKeyOf, recordPrefixOf, storeKeyOf } from '../../../shared/kv/key.ts';

describe('a key of a store', () => {
  it.each(['a', 'a/b', '/a', 'a/', 'a//b', '/', '...', 'a/.b', 'größe 🐟', '%2', 'a b ', 'x'.repeat(493)])(
    'may be %j',
    (key) => {
      const whole = recordKeyOf('s1', key);
      expect(whole).toBe(`/kv/s1/${key}`);
      expect(storeKeyOf('s1', whole)).toBe(key);
      const path = `/${pathOfKey('s1', key)}`;
      expect(decodeURIComponent(new URL(path, 'http://skerry.test').pathname.slice('/kv/s1/'.length))).toBe(
        key,
      );
      expect(path).not.toMatch(/\/\/|\/$/);
    },
  );

  it.each([
    ['', /empty/],
    ['x'.repeat(494), /longer than 493 bytes/],
    ['é'.repeat(247), /longer/],
    ['a\nb', /control/],
    ['a\u007f', /control/],
    ['\ud800', /U\+FFFF/],
    ['.', /segment/],
    ['a/../b', /segment/],
    ['a/.', /segment/],
    ['a%2fb', /escaped slash/],
  ])('cannot be %j', (key, message) => {
    expect(() => recordKeyOf('s1', key, 'then[0].put.key')).toThrow(message);
    expect(() => recordKeyOf('s1', key, 'then[0].put.key')).toThrow(
      expect.objectContaining({ kind: 'invalid', field: 'then[0].put.key' }),
    );
  });

  it('may be empty as a prefix, which is the whole store', () => {
    expect(recordPrefixOf('s1', '')).toBe('/kv/s1/');
  });
});
