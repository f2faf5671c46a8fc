import { Cron } from 'croner';
import { parseTimeSpan } from './time-span.ts';

/** When a timer fires. */
export interface Schedule {
  /** The next occurrence strictly after `after`; both in milliseconds since the epoch. */
  next(after: number): number;
}

const MONTHS = 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec';
const DAYS = 'sun|mon|tue|wed|thu|fri|sat';
/** Croner reads more than NCRONTAB does (`L`, `W`, `#`, `?`, nicknames), which Azure would refuse. */
const NCRONTAB_FIELD = new RegExp(`^(\\d|[*,/-]|\\b(${MONTHS}|${DAYS})\\b)+$`, 'i');

/**
 * Reads a timer's schedule: NCRONTAB with 5 or 6 fields in the local time zone of the process, day of month AND day
 * of week, or a constant interval `hh:mm:ss` (webjobs-sdk-extensions, `TimerSchedule`).
 *
 * @throws Error if it is neither, or never fires.
 */
export function parseSchedule(text: string): Schedule {
  const interval = parseTimeSpan(text);
  if (interval !== undefined) {
    if (interval <= 0) throw new Error(`schedule '${text}' must be longer than nothing`);
    return { next: (after) => after + interval };
  }
  return parseCron(text);
}

function parseCron(text: string): Schedule {
  const fields = text.trim().split(/\s+/);
  if (!fields.every((field) => NCRONTAB_FIELD.test(field)))
    throw new Error(`schedule '${text}' is not NCRONTAB`);
  const cron = new Cron(fields.join(' '), { paused: true, mode: '5-or-6-parts', domAndDow: true });
  const next = (after: number) => cron.nextRun(new Date(after))?.getTime();
  if (next(Date.now()) === undefined) throw new Error(`schedule '${text}' never fires`);
  return { next: (after) => next(after) ?? Number.POSITIVE_INFINITY };
}

const OCCURRENCES_LOOKED_AT = 5;
const MINUTE = 60_000;

/** Azure keeps no status for timers that fire more than once a minute. */
export function firesOftenerThanEachMinute(schedule: Schedule, now: number): boolean {
  let previous = schedule.next(now);
  for (let count = 1; count < OCCURRENCES_LOOKED_AT; count++) {
    const next = schedule.next(previous);
    if (next - previous < MINUTE) return true;
    previous = next;
  }
  return false;
}
