import { describe, expect, it } from 'vitest';
import type { Change } from '../../../../shared/records/change.ts';
import { Snapshot } from '../../../../shared/records/log/snapshot.ts';

const AT = '2026-01-01T00:00:00.000Z';

function put(revision: number, key: string, value: string): Change<string> {
  return { revision, key, type: 'put', value, actor: 'test', at: AT, writeId: `w${revision}` };
}

function remove(revision: number, key: string): Change<string> {
  return { revision, key, type: 'delete', actor: 'test', at: AT, writeId: `w${revision}` };
}

describe('Snapshot', () => {
  it('folds puts and deletes into the listing', () => {
    const snapshot = new Snapshot<string>(0);
    for (const change of [put(1, '/b', 'x'), put(2, '/a', 'y'), put(3, '/c', 'z'), remove(4, '/b')]) {
      snapshot.fold(change);
    }
    expect([...snapshot.recordsUnder('', '')].map(({ key, value }) => [key, value])).toEqual([
      ['/a', 'y'],
      ['/c', 'z'],
    ]);
    expect(snapshot.revision).toBe(4);
  });

  it('refuses a change that leaves a gap', () => {
    expect(() => new Snapshot<string>(3).fold(put(5, '/a', 'x'))).toThrow(/does not follow/);
  });

  it('keeps a record that was read after the change that is folded in', () => {
    const snapshot = new Snapshot<string>(0);
    snapshot.add({ key: '/a', value: 'newer', revision: 3, createdAt: AT, updatedAt: AT });
    snapshot.fold(put(1, '/a', 'older'));
    snapshot.fold(remove(2, '/a'));
    snapshot.fold(put(3, '/a', 'newer'));
    expect(snapshot.get('/a')?.value).toBe('newer');
    snapshot.fold(remove(4, '/a'));
    expect(snapshot.get('/a')).toBeUndefined();
  });

  it('pages in key order behind a key that need not exist any more', () => {
    const snapshot = new Snapshot<string>(0);
    ['/a', '/b', '/c', '/d'].forEach((key, index) => {
      snapshot.fold(put(index + 1, key, 'x'));
    });
    snapshot.fold(remove(5, '/b'));
    expect([...snapshot.recordsUnder('', '/b')].map(({ key }) => key)).toEqual(['/c', '/d']);
  });

  it('gives back the bytes of what is removed or replaced', () => {
    const snapshot = new Snapshot<string>(0);
    snapshot.fold(put(1, '/a', 'x'.repeat(1000)));
    snapshot.fold(put(2, '/a', 'x'));
    snapshot.fold(remove(3, '/a'));
    expect(snapshot.bytes).toBe(0);
  });
});
