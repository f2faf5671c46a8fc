import { describe, expect, it } from 'vitest';
import { isPublic } from '../../../shared/keyspace/index.ts';
import { excerptOf } from '../../../shared/search/excerpt.ts';
import { SEARCHED_SCOPES } from '../../../shared/search/index.ts';
import { searchableOf } from '../../../shared/search/searchable.ts';

const scope = (kind: string) => ({ ns: 'default', kind, name: '' });

describe('what can be found', () => {
  it('is public', () => {
    expect(SEARCHED_SCOPES.filter((kind) => !isPublic(scope(kind)))).toEqual([]);
    expect(isPublic(scope('hook'))).toBe(false);
    expect(searchableOf(scope('hook'), '/hook/sub_1', { endpoint: 'http://secret' })).toBeUndefined();
  });

  it('is every text of a value, but no content that is none, and no more of it than there is room for', () => {
    const value = { a: 'one', b: [1, true, null, { c: 'two' }], d: '' };
    expect(searchableOf(scope('kv'), '/kv/s/a/b', value)).toEqual({
      kind: 'key',
      id: 's/a/b',
      tags: [],
      texts: ['one', 'two'],
    });
    const bytes = { $bytes: 'AAAA', contentType: 'image/png' };
    expect(searchableOf(scope('kv'), '/kv/s/a', bytes)?.texts).toEqual([]);
    const long = searchableOf(scope('kv'), '/kv/s/a', ['x'.repeat(5_000), 'y']);
    expect(long?.texts).toEqual(['x'.repeat(4_096)]);
  });

  it('has tags of any form', () => {
    const tags = [{ name: 'team', value: 'web' }, 'v1', 7, null];
    expect(searchableOf(scope('env'), '/env/prod', { name: 'Prod', tags })).toMatchObject({
      kind: 'environment',
      id: 'prod',
      name: 'Prod',
      tags: ['team:web', 'v1'],
    });
  });
});

describe('an excerpt', () => {
  it('is the text around what was asked for, on one line', () => {
    expect(excerptOf('short\ntext', 'text')).toBe('short text');
    const long = `${'a '.repeat(200)}Needle${' b'.repeat(200)}`;
    const excerpt = excerptOf(long, 'needle');
    expect(excerpt).toMatch(/^….{40}Needle.+…$/);
    expect(excerpt).toHaveLength(162);
  });

  it('cuts no character in two', () => {
    for (let shift = 0; shift < 3; shift += 1) {
      expect(
        excerptOf(
          `${'x'.repeat(shift)}${'🦅'.repeat(300)}needle${'🦅'.repeat(300)}`,
          'needle',
        ).isWellFormed(),
      ).toBe(true);
    }
  });
});
