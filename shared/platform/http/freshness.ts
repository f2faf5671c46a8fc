import type { HeaderReader } from './request.ts';

/**
 * Seconds that a bare `max-stale` allows. RFC 9111 lets it mean any age, under which nothing would ever be
 * proven again.
 */
export const BARE_MAX_STALE_SECONDS = 60;

const DIRECTIVE = /^(max-stale|max-age)(?:="?(\d{1,9})"?)?$/;

/**
 * How old an answer may be by the caller's `Cache-Control: max-stale=N` or `max-age=N`, in seconds; undefined
 * when it has to be proven current, as it has without the header. Of two directives the stricter holds; what
 * cannot be read asks for a current answer.
 */
export function allowedAgeSeconds(headers: HeaderReader): number | undefined {
  const header = headers.get('cache-control');
  if (header === null) {
    return undefined;
  }
  let allowed: number | undefined;
  for (const directive of header.toLowerCase().split(',')) {
    const seconds = secondsOf(directive.trim());
    if (seconds !== undefined) {
      allowed = Math.min(allowed ?? seconds, seconds);
    }
  }
  return allowed === 0 ? undefined : allowed;
}

function secondsOf(directive: string): number | undefined {
  const [, name, seconds] = DIRECTIVE.exec(directive) ?? [];
  if (name !== undefined && seconds !== undefined) {
    return Number(seconds);
  }
  if (name === 'max-stale') {
    return BARE_MAX_STALE_SECONDS;
  }
  return /^(no-cache|no-store|max-)/.test(directive) ? 0 : undefined;
}
