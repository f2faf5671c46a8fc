import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkKey, encodeKey, isUnder, MAX_KEY_BYTES } from '../../../shared/records/key.ts';

describe('isUnder', () => {
  it.each([
    ['/app/dm', '/app/dm', true],
    ['/app/dm', '/app/dm/x', true],
    ['/app/dm', '/app/dm2', false],
    ['/app/dm/', '/app/dm', false],
    ['/app/dm/', '/app/dm/x', true],
    ['/app', '/app/dm', true],
    ['/app', '/apple', false],
    ['/', '/app/dm', true],
    ['/srv/web', '/srv/we', false],
  ])('%s covers %s: %s', (prefix, key, covered) => {
    expect(isUnder(prefix, key)).toBe(covered);
  });
});

describe('encodeKey', () => {
  const keys = fc.string({ unit: 'grapheme', maxLength: 100 }).map((text) => `/${text}`);

  it('gives different keys different ids', () => {
    fc.assert(
      fc.property(keys, keys, (one, other) => (encodeKey(one) === encodeKey(other)) === (one === other)),
    );
  });

  it('uses no character that Cosmos forbids in an id', () => {
    fc.assert(fc.property(keys, (key) => !/[/\\?#]| $/.test(encodeKey(key))));
  });

  it('fits a document id even where every character is escaped', () => {
    expect(Buffer.byteLength(encodeKey(`/${'?'.repeat(MAX_KEY_BYTES - 1)}`)) + 2).toBeLessThan(1023);
  });
});

describe('checkKey', () => {
  it('counts bytes, not characters', () => {
    expect(() => checkKey(`/${'é'.repeat(250)}`)).toThrow(/longer than 500 bytes/);
    expect(() => checkKey(`/${'é'.repeat(249)}`)).not.toThrow();
  });

  it('wants a leading slash', () => {
    expect(() => checkKey('app')).toThrow(/start with a slash/);
  });
});
