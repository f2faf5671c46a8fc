/** What .NET cannot go beyond, such as the end of a message that does not expire. */
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const LATEST_TEXT = '9999-12-31T23:59:59.9999999';

/** A UTC time as .NET's serialisers write it, without zeros at the end of the fraction: `2024-10-14T12:00:00Z`. */
export function toUtcDate(epochMilliseconds: number): string {
  return `${toText(epochMilliseconds)}Z`;
}

/** A time with the offset of `zone`, in minutes east of UTC: `2024-10-14T12:00:00+00:00`. */
export function toOffsetDate(epochMilliseconds: number, zone: number): string {
  const digits = (value: number) => String(Math.trunc(value)).padStart(2, '0');
  const size = Math.abs(zone);
  const sign = zone < 0 ? '-' : '+';
  return `${toText(epochMilliseconds + zone * 60_000)}${sign}${digits(size / 60)}:${digits(size % 60)}`;
}

/** The offset of the process's time zone at a time, in minutes east of UTC. */
export function localOffset(epochMilliseconds: number): number {
  return -new Date(epochMilliseconds).getTimezoneOffset();
}

const ISO_DATE =
  /^((?!0000)\d{4}-\d\d-(\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d{1,7}))?(?:(z)|([+-])(\d\d):?(\d\d)?)?$/i;

/**
 * A string of a document as it comes out when Newtonsoft.Json has read it and written it again: what looks like a
 * date is taken for one (Newtonsoft.Json, `DateTimeParser`; DateParseHandling.DateTime, which is its default).
 */
export function rewriteDate(text: string): string {
  const match = ISO_DATE.exec(text);
  if (match === null) return text;
  const [, seconds = '', day, fraction = '', isUtc, sign, hours, minutes = '0'] = match;
  const time = Date.parse(`${seconds}Z`);
  // 31 February and the like are no dates.
  if (new Date(time).getUTCDate() !== Number(day)) return text;
  const kept = fraction.replace(/0+$/, '');
  const withFraction = (date: string) =>
    kept === '' ? date : date.replace(/(?<=T\d\d:\d\d:\d\d)/, `.${kept}`);
  if (isUtc) return withFraction(toUtcDate(time));
  if (sign === undefined) return withFraction(seconds);
  const offset = Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes));
  const instant = time - offset * 60_000;
  return withFraction(toOffsetDate(instant, localOffset(instant)));
}

function toText(epochMilliseconds: number): string {
  if (epochMilliseconds > LATEST) return LATEST_TEXT;
  return new Date(epochMilliseconds).toISOString().replace(/\.?0*Z$/, '');
}
