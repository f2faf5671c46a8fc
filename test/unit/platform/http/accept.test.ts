import { describe, expect, it } from 'vitest';
import { preferredType } from '../../../../shared/platform/http/index.ts';

describe('the type that Accept prefers, of a zip and a gzip', () => {
  it.each([
    [undefined, 'application/zip'],
    ['', 'application/zip'],
    ['*/*', 'application/zip'],
    ['application/*', 'application/zip'],
    ['application/gzip', 'application/gzip'],
    ['Application/GZIP', 'application/gzip'],
    ['application/gzip, application/zip', 'application/zip'],
    ['application/gzip, */*;q=0.5', 'application/gzip'],
    ['application/gzip;q=0.4, */*;q=0.5', 'application/zip'],
    ['application/zip;q=0.3, application/*;q=0.9', 'application/gzip'],
    ['application/zip;q=0, */*', 'application/gzip'],
    ['application/gzip;q=0.001', 'application/gzip'],
    ['text/html, application/zip;q=0.1', 'application/zip'],
    ['application/json', undefined],
    ['*/*;q=0', undefined],
    ['application/zip;q=0, application/gzip;q=0.0', undefined],
    ['nonsense', undefined],
  ])('by "%s" is %s', (header, type) => {
    const headers = new Headers(header === undefined ? {} : { accept: header });
    expect(preferredType(headers, ['application/zip', 'application/gzip'])).toBe(type);
  });
});
