import { describe, expect, it } from 'vitest';
import { firesOftenerThanEachMinute, parseSchedule } from '../../../infra/local/host/schedule.ts';

/** Schedules follow the local time zone, so the tests speak of local time. */
const at = (text: string) => new Date(text).getTime();

describe('a schedule', () => {
  it.each([
    ['0 */5 * * * *', '2026-03-01T10:03:00', '2026-03-01T10:05:00'],
    ['*/5 * * * *', '2026-03-01T10:05:00', '2026-03-01T10:10:00'],
    ['0 30 9 * * MON-FRI', '2026-03-06T09:30:00', '2026-03-09T09:30:00'],
    ['0 0 0 13 * FRI', '2026-01-01T00:00:00', '2026-02-13T00:00:00'],
    ['0 0 0 1 jan,Jul *', '2026-01-01T00:00:00', '2026-07-01T00:00:00'],
    ['00:01:30', '2026-03-01T10:00:00', '2026-03-01T10:01:30'],
    ['1.00:00:00', '2026-01-01T10:00:00', '2026-01-02T10:00:00'],
  ])('%s after %s is %s', (text, after, next) => {
    expect(parseSchedule(text).next(at(after))).toBe(at(next));
  });

  it.each([
    '',
    '@hourly',
    '* * *',
    '0 0 0 L * *',
    '0 0 0 * * MON#2',
    '0 0 0 ? * *',
    '0 0 0 31 2 *',
    '00:00:00',
    '61 * * * * *',
  ])('%j is refused', (text) => {
    expect(() => parseSchedule(text)).toThrow();
  });

  it('fires oftener than each minute if any of the next occurrences do', () => {
    const oftener = (text: string) =>
      firesOftenerThanEachMinute(parseSchedule(text), at('2026-03-01T10:00:30'));
    expect(['0 * * * * *', '0,59 * * * * *', '*/30 * * * * *', '00:00:59', '00:01:00'].map(oftener)).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });
});
