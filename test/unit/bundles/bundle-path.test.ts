import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkPaths, normalizePath } from '../../../shared/bundles/content/bundle-path.ts';
import { comparePaths } from '../../../shared/bundles/content/manifest.ts';
import { SkerryError } from '../../../shared/platform/errors.ts';

const refusal = (text: string) =>
  expect.objectContaining({ kind: 'unprocessable', message: expect.stringContaining(text) });

describe('a path', () => {
  it.each([
    ['a/b.txt', 'a/b.txt'],
    ['./a//b/./c', 'a/b/c'],
    ['folder/', 'folder'],
    ['...', '...'],
    ['a..b/..c', 'a..b/..c'],
    ['u\u0308ber', 'über'],
    ['x'.repeat(255), 'x'.repeat(255)],
  ])('%j is %j', (path, normalized) => {
    expect(normalizePath(path)).toBe(normalized);
  });

  it.each([
    ['', 'empty'],
    ['./.', 'empty'],
    ['../a', '".."'],
    ['a/..', '".."'],
    ['a/../b', '".."'],
    ['/etc/passwd', 'absolute'],
    ['C:/x', 'absolute'],
    ['c:x', 'absolute'],
    ['.//C:/x', 'absolute'],
    ['a\\b', 'backslash'],
    ['a\0b', 'control'],
    ['a\nb', 'control'],
    ['a\u0085b', 'control'],
    ['a\ud800', 'Unicode'],
    ['ü'.repeat(128), '255'],
    [Array.from({ length: 4 }, () => 'x'.repeat(130)).join('/'), '512'],
  ])('%j is refused: %s', (path, why) => {
    expect(() => normalizePath(path)).toThrow(refusal(why));
  });

  it('has one form, or none', () => {
    const piece = fc.constantFrom(
      'a',
      'B',
      '.',
      '..',
      '/',
      '\\',
      'é',
      'e\u0301',
      '\u0338',
      '🐟',
      ':',
      '\u0301',
      'ß',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        let once: string;
        try {
          once = normalizePath(pieces.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(SkerryError);
          return;
        }
        expect(normalizePath(once)).toBe(once);
      }),
      { numRuns: 500 },
    );
  });

  it('comes in the order of its bytes', () => {
    const unit = fc.constantFrom('/', 'a', 'é', '\ud7ff', '\ue000', '\uffff', '🐟', '\u{10ffff}');
    const text = fc.array(unit, { maxLength: 4 }).map((units) => units.join(''));
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(comparePaths(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 500 },
    );
  });
});

describe('paths beside each other', () => {
  it.each([
    ['twice', ['a', 'b', 'a'], 'twice'],
    ['by case', ['Read.me', 'read.ME'], 'case'],
    ['folders by case', ['a/b/x', 'a-', 'A/b/y'], 'case'],
    ['a file and a folder', ['a', 'a-b', 'a/b'], 'folder'],
    ['a file and a folder by case', ['A', 'a/b'], 'case'],
    ['a folder deep below a file', ['x/y', 'x/y/z/u'], 'folder'],
    ['letters with several small forms', ['ΟΔΟΣ', 'οδος'], 'case'],
  ])('are refused: %s', (_, paths, why) => {
    expect(() => checkPaths(paths)).toThrow(refusal(why));
    expect(() => checkPaths(paths.toReversed())).toThrow(refusal(why));
  });

  it('may resemble each other', () => {
    expect(() => checkPaths(['a', 'ab', 'a.b', 'b/a', 'b/a-', 'b/ab/c', 'c/A/x', 'd/a/x'])).not.toThrow();
  });
});
