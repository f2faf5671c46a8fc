import { describe, expect, it } from 'vitest';
import { BARE_MAX_STALE_SECONDS } from '../../../../shared/platform/http/freshness.ts';
import { allowedAgeSeconds } from '../../../../shared/platform/http/index.ts';

describe('the age that Cache-Control allows', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['max-stale=5', 5],
    ['max-age=30', 30],
    ['MAX-STALE="7"', 7],
    ['max-stale', BARE_MAX_STALE_SECONDS],
    ['max-stale=60, max-age=10', 10],
    ['no-transform, max-stale=3', 3],
    ['max-age=0', undefined],
    ['max-age=0, max-stale=10', undefined],
    ['no-cache, max-stale=10', undefined],
    ['max-stale=-1', undefined],
    ['max-stale=soon', undefined],
    ['max-age', undefined],
    ['only-if-cached', undefined],
  ])('by "%s" is %s', (header, seconds) => {
    const headers = new Headers(header === undefined ? {} : { 'cache-control': header });
    expect(allowedAgeSeconds(headers)).toBe(seconds);
  });
});
