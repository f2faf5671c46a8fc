import { UsageError } from './usage-error.ts';

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** A time, or how long ago that was (`15m`). @returns RFC 3339, UTC. */
export function readTime(text: string, name: string): string {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const time =
    count === undefined ? Date.parse(text) : Date.now() - Number(count) * (UNITS[unit] ?? 0) * 1000;
  if (!/^\d+[smhd]$|^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(time)) {
    throw new UsageError(
      `${name} takes a time such as 2026-11-26T12:00:00Z, or a duration such as 15m, not "${text}".`,
    );
  }
  return new Date(time).toISOString();
}
