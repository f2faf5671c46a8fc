import { afterEach, describe, expect, it } from 'vitest';
import { rewriteDate, toOffsetDate, toUtcDate } from '../../../infra/local/host/dotnet-date.ts';

const { TZ } = process.env;
afterEach(() => {
  if (TZ === undefined) delete process.env.TZ;
  else process.env.TZ = TZ;
});

describe('a date as .NET writes it', () => {
  it.each([
    ['2026-01-02T03:04:05.000Z', '2026-01-02T03:04:05'],
    ['2026-01-02T03:04:05.120Z', '2026-01-02T03:04:05.12'],
    ['2026-01-02T03:04:00.007Z', '2026-01-02T03:04:00.007'],
  ])('has no zeros at the end of its fraction: %s', (iso, text) => {
    expect(toUtcDate(Date.parse(iso))).toBe(`${text}Z`);
    expect(toOffsetDate(Date.parse(iso), 0)).toBe(`${text}+00:00`);
  });

  it('can have an offset', () => {
    const noon = Date.parse('2026-01-02T12:00:00Z');
    expect(toOffsetDate(noon, 330)).toBe('2026-01-02T17:30:00+05:30');
    expect(toOffsetDate(noon, -210)).toBe('2026-01-02T08:30:00-03:30');
  });

  it('ends with the year 9999', () => {
    expect(toUtcDate(922_337_203_685_477)).toBe('9999-12-31T23:59:59.9999999Z');
  });
});

describe('a string of a document that .NET has read and written again', () => {
  it.each([
    ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00Z'],
    ['2026-01-01T00:00:00.1200000z', '2026-01-01T00:00:00.12Z'],
    ['2026-01-01T00:00:00.1234567Z', '2026-01-01T00:00:00.1234567Z'],
    ['2026-01-01T00:00:00.50', '2026-01-01T00:00:00.5'],
    ['2026-01-01T12:00:00.500+02:00', '2026-01-01T10:00:00.5+00:00'],
    ['2026-01-01T12:00:00-0130', '2026-01-01T13:30:00+00:00'],
    ['2026-01-01T12:00:00+02', '2026-01-01T10:00:00+00:00'],
  ])('changes if it is a date: %s', (before, after) => {
    process.env.TZ = 'UTC';
    expect(rewriteDate(before)).toBe(after);
  });

  it('gets the time zone of the host, if it has any', () => {
    process.env.TZ = 'Asia/Kolkata';
    expect(rewriteDate('2026-01-01T12:00:00.0+02:00')).toBe('2026-01-01T15:30:00+05:30');
    expect(rewriteDate('2026-01-01T12:00:00.0Z')).toBe('2026-01-01T12:00:00Z');
  });

  it.each([
    'text',
    '2026-01-01',
    '2026-01-01 00:00:00.000Z',
    '2026-02-30T00:00:00.000Z',
    '2026-13-01T00:00:00.000Z',
    '2026-01-01T25:00:00.000Z',
    '0000-01-01T00:00:00.000Z',
    '2026-01-01T00:00:00.12345678Z',
    '2026-01-01T00:00:00.Z',
    'at 2026-01-01T00:00:00.000Z',
  ])('stays as it is otherwise: %s', (text) => {
    expect(rewriteDate(text)).toBe(text);
  });
});
