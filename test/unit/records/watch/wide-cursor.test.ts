import { describe, expect, it } from 'vitest';
import { fromContinuation, toContinuation } from '../../../../shared/records/watch/feed-position.ts';
import {
  MAX_CURSOR_CHARACTERS,
  MAX_HELD_SCOPES,
  markOf,
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
  held: new Map([[markOf({ ns: 'default', kind: 'kv', name: 'a' }), 7]]),
};

describe('a cursor over several scopes', () => {
  it('comes back as it was', () => {
    expect(readWideCursor(writeWideCursor(cursor))).toEqual(cursor);
  });

  it('fits a request line with as many scopes held and ranges as there may be', () => {
    const held = Array.from({ length: MAX_HELD_SCOPES }, (_, index) => {
      return [markOf({ ns: 'default', kind: 'srv', name: `service${index}` }), 1_000_000 + index] as const;
    });
    const ranges = Array.from({ length: 20 }, (_, index) => ({
      end: index === 19 ? 'FF' : (0x10 + index).toString(16).toUpperCase().padEnd(32, 'F'),
      token: `"${1_000_000 + index}"`,
    }));
    const text = writeWideCursor({
      ...cursor,
      position: { ...cursor.position, ranges },
      held: new Map(held),
    });
    expect(text.length).toBeLessThan(MAX_CURSOR_CHARACTERS);
    expect(readWideCursor(text).held.size).toBe(MAX_HELD_SCOPES);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'abc'],
    ['another version', encode([2, 'AQAAAIAAAAE=', 1, ['FF', '"1"'], []])],
    ['too few parts', encode([1, 'AQAAAIAAAAE=', 1, ['FF', '"1"']])],
    ['a time that is none', encode([1, 'AQAAAIAAAAE=', -1, ['FF', '"1"'], []])],
    ['half a range', encode([1, 'AQAAAIAAAAE=', 1, ['FF'], []])],
    ['no ranges', encode([1, 'AQAAAIAAAAE=', 1, [], []])],
    ['ranges that leave the end out', encode([1, 'AQAAAIAAAAE=', 1, ['1F', '"1"'], []])],
    ['ranges out of order', encode([1, 'AQAAAIAAAAE=', 1, ['FF', '"1"', '1F', '"1"', 'FF', '"1"'], []])],
    ['a token that breaks a header', encode([1, 'AQAAAIAAAAE=', 1, ['FF', '1\r\nx: y'], []])],
    ['a revision that is none', encode([1, 'AQAAAIAAAAE=', 1, ['FF', '"1"'], ['mark', 1.5]])],
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

function encode(parts: unknown): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}
