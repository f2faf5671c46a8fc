import type { Clock } from '../../platform/clock.ts';

const SECONDS = /^\d{1,10}$/;
/** The form that is written today, and the two older ones (RFC 9110, section 5.6.7). */
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

/** Milliseconds from now, never negative; undefined for what is no value of the header `Retry-After`. */
export function retryAfterMilliseconds(header: string | undefined, clock: Clock): number | undefined {
  const text = header?.trim() ?? '';
  if (SECONDS.test(text)) {
    return 1000 * Number(text);
  }
  if (!HTTP_DATES.some((form) => form.test(text))) {
    return undefined;
  }
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : Math.max(0, at - clock.now());
}
