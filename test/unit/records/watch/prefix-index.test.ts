import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUnder } from '../../../../shared/records/key.ts';
import { coveringPrefixes, PrefixIndex } from '../../../../shared/records/watch/prefix-index.ts';

const key = fc
  .array(fc.constantFrom('/', '/', 'a', 'b', '-', '/kv'), { maxLength: 8 })
  .map((parts) => `/${parts.join('')}`);

describe('the index of prefixes', () => {
  it('covers exactly what isUnder says', () => {
    fc.assert(
      fc.property(key, fc.array(key, { maxLength: 20 }), (changed, prefixes) => {
        const index = new PrefixIndex<{ ns: string; prefix: string }>();
        const entries = prefixes.map((prefix) => ({ ns: 'default', prefix }));
        for (const entry of entries) {
          index.add(entry);
          index.add({ ...entry, ns: 'other' });
        }
        const expected = entries.filter(({ prefix }) => isUnder(prefix, changed));
        expect(new Set(index.covering('default', changed))).toEqual(new Set(expected));
      }),
    );
  });

  it('looks up no more than the segments of the key', () => {
    expect([...coveringPrefixes('/kv/a/x')]).toEqual(['/kv/a/x', '/kv/a/', '/kv/a', '/kv/', '/kv', '/']);
  });

  it('forgets whoever leaves', () => {
    const index = new PrefixIndex<{ ns: string; prefix: string }>();
    const entry = { ns: 'default', prefix: '/app' };
    index.add(entry);
    index.delete(entry);
    expect([...index.covering('default', '/app/a')]).toEqual([]);
  });
});
