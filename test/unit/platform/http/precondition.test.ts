import { describe, expect, it } from 'vitest';
import { checkPrecondition, readPrecondition, revisionTag } from '../../../../shared/platform/http/index.ts';
import { isNotModified } from '../../../../shared/platform/http/precondition.ts';

const headers = (values: Record<string, string>) => new Headers(values);

/** Whether a write goes ahead on a record of a revision, or on none. */
function allows(values: Record<string, string>, revision: number | undefined): boolean {
  const precondition = readPrecondition(headers(values));
  try {
    checkPrecondition(precondition, revision === undefined ? undefined : { revision });
    return true;
  } catch (error) {
    expect(error).toMatchObject({ kind: 'precondition-failed' });
    return false;
  }
}

describe('If-Match', () => {
  it.each([
    ['"42"', true, false],
    ['"41"', false, false],
    ['"1", "42" ,"7"', true, false],
    [', "42",,', true, false],
    ['W/"42"', false, false],
    ['*', true, false],
  ])('%s holds for revision 42: %s, for no record: %s', (value, onRecord, onNothing) => {
    expect(allows({ 'if-match': value }, 42)).toBe(onRecord);
    expect(allows({ 'if-match': value }, undefined)).toBe(onNothing);
  });
});

describe('If-None-Match', () => {
  it.each([
    ['"42"', false, true],
    ['"41"', true, true],
    ['W/"42"', false, true],
    ['*', false, true],
  ])('%s holds for revision 42: %s, for no record: %s', (value, onRecord, onNothing) => {
    expect(allows({ 'if-none-match': value }, 42)).toBe(onRecord);
    expect(allows({ 'if-none-match': value }, undefined)).toBe(onNothing);
  });

  it('answers a read 304 by weak comparison', () => {
    expect(isNotModified(headers({ 'if-none-match': 'W/"7-abc", "3"' }), '"7-abc"')).toBe(true);
    expect(isNotModified(headers({ 'if-none-match': '"a,b"' }), 'W/"a,b"')).toBe(true);
    expect(isNotModified(headers({ 'if-none-match': '*' }), '"1"')).toBe(true);
    expect(isNotModified(headers({ 'if-none-match': '"2"' }), '"1"')).toBe(false);
    expect(isNotModified(headers({}), '"1"')).toBe(false);
  });
});

describe('preconditions', () => {
  it('are undefined where no header asks for one, and then hold', () => {
    expect(readPrecondition(headers({}))).toBeUndefined();
    expect(allows({}, undefined)).toBe(true);
  });

  it.each([['42'], ['"42'], ['"1" "2"'], ['*, "1"'], ['"a"b']])('that read %s are invalid', (value) => {
    expect(() => readPrecondition(headers({ 'if-match': value }))).toThrow(
      expect.objectContaining({ kind: 'invalid', field: 'If-Match' }),
    );
  });

  it('speak of revisions', () => {
    expect(revisionTag(42)).toBe('"42"');
  });
});
