import { describe, expect, it } from 'vitest';
import {
  fromContinuation,
  hasReached,
  toContinuation,
} from '../../../../shared/records/watch/feed-position.ts';
import {
  MAX_CURSOR_CHARACTERS,
  readWideCursor,
  type WideCursor,
  writeWideCursor,
} from '../../../../shared/records/watch/wide-cursor.ts';

const cursor: WideCursor = {
  position: {
    container: 'AQAAAIAAAAE=',
    ranges: [
      { end: '1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF', token: '"12"' },
      { end: 'FF', token: '"345"' },
    ],
  },
  completeSince: 1_795_642_250_990,
};

describe('a cursor over several scopes', () => {
  it('comes back as it was', () => {
    expect(readWideCursor(writeWideCursor(cursor))).toEqual(cursor);
  });

  it('fits a request line with as many ranges as there may be', () => {
    const ranges = Array.from({ length: 80 }, (_, index) => ({
      end: index === 79 ? 'FF' : (0x10 + index).toString(16).toUpperCase().padEnd(32, 'F'),
      token: `"${1_000_000 + index}"`,
    }));
    const text = writeWideCursor({ ...cursor, position: { ...cursor.position, ranges } });
    expect(text.length).toBeLessThan(MAX_CURSOR_CHARACTERS);
    expect(readWideCursor(text).position.ranges).toEqual(ranges);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'abc'],
    ['another version', encode([1, 'AQAAAIAAAAE=', 1, ['FF', '"1"']])],
    ['too few parts', encode([2, 'AQAAAIAAAAE=', 1])],
    ['a time that is none', encode([2, 'AQAAAIAAAAE=', -1, ['FF', '"1"']])],
    ['half a range', encode([2, 'AQAAAIAAAAE=', 1, ['FF']])],
    ['no ranges', encode([2, 'AQAAAIAAAAE=', 1, []])],
    ['ranges that leave the end out', encode([2, 'AQAAAIAAAAE=', 1, ['1F', '"1"']])],
    ['ranges out of order', encode([2, 'AQAAAIAAAAE=', 1, ['FF', '"1"', '1F', '"1"', 'FF', '"1"']])],
    ['a token that breaks a header', encode([2, 'AQAAAIAAAAE=', 1, ['FF', '1\r\nx: y']])],
    ['a token that is no text', encode([2, 'AQAAAIAAAAE=', 1, ['FF', 1]])],
    ['endless text', 'A'.repeat(100_000)],
  ])('is refused when it is %s', (_, text) => {
    expect(() => readWideCursor(text)).toThrow(/none that was given out/);
  });

  it('is the same wherever the SDK happens to go on reading', () => {
    const continuation = JSON.parse(toContinuation(cursor.position));
    const turned = { ...continuation, Continuation: continuation.Continuation.toReversed() };
    expect(fromContinuation(JSON.stringify(turned))).toEqual(cursor.position);
  });
});

it.each([
  [['"1"', '"1"'], false],
  [['"12"', '"345"'], true],
  [['"13"', '"1000"'], true],
  [['"100"', '"99"'], false],
  [['"12"', 'abc'], false],
  [['"12"'], false],
])('a feed that was read to %j has reached another position: %s', (tokens, isReached) => {
  const ranges = cursor.position.ranges.flatMap(({ end }, index) => {
    const token = tokens[index];
    return token === undefined ? [] : { end, token };
  });
  expect(hasReached({ ...cursor.position, ranges }, cursor.position)).toBe(isReached);
});

function encode(parts: unknown): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}
