import { describe, expect, it } from 'vitest';
import { readByteRange } from '../../../../shared/platform/http/index.ts';

const TAG = '"abc.zip"';

describe('the part of 1,000 bytes that a request wants', () => {
  it.each([
    ['bytes=0-0', [0, 1]],
    ['bytes=0-999', [0, 1000]],
    ['bytes=500-', [500, 1000]],
    ['bytes=999-5000', [999, 1000]],
    ['bytes=-300', [700, 1000]],
    ['bytes=-5000', [0, 1000]],
    ['BYTES=1-2', [1, 3]],
    // Whoever sends what cannot be read, or several, gets all of it.
    ['bytes=0-1,5-6', undefined],
    ['bytes=5-4', undefined],
    ['bytes=-', undefined],
    ['bytes=a-b', undefined],
    ['items=0-1', undefined],
    ['', undefined],
  ])('by "%s" is %j', (range, expected) => {
    const part = readByteRange(new Headers({ range }), 1000, TAG);
    expect(part && [part.start, part.end]).toEqual(expected);
  });

  it.each(['bytes=1000-', 'bytes=5000-6000', 'bytes=-0'])('is none of "%s"', (range) => {
    expect(() => readByteRange(new Headers({ range }), 1000, TAG)).toThrow(
      expect.objectContaining({
        kind: 'range-not-satisfiable',
        headers: { 'Content-Range': 'bytes */1000', 'Accept-Ranges': 'bytes' },
      }),
    );
  });

  it.each([
    [TAG, true],
    ['"other"', false],
    [`W/${TAG}`, false],
    ['Wed, 21 Oct 2026 07:28:00 GMT', false],
  ])('with If-Range %s is obeyed: %s', (ifRange, isObeyed) => {
    const headers = new Headers({ range: 'bytes=0-1', 'if-range': ifRange });
    expect(readByteRange(headers, 1000, TAG) !== undefined).toBe(isObeyed);
  });
});
