import { tooManyRequests } from './errors.ts';

/** A limit, as the answer that it makes tells of it. */
export interface LimitPolicy {
  /** What the limit is called: letters and digits. */
  readonly name: string;
  readonly quota: number;
  /** Seconds that the quota is for. */
  readonly windowSeconds?: number;
  /** What is counted, where that is not requests. */
  readonly unit?: 'concurrent-requests';
}

/**
 * The refusal of one request too many, with the header fields of draft-ietf-httpapi-ratelimit-headers (lists of structured
 * fields, as since its eighth version), which stand on no other answer.
 */
export function rateLimited(
  { name, quota, windowSeconds, unit }: LimitPolicy,
  retryAfterSeconds: number,
  { detail, fix }: { readonly detail: string; readonly fix: string },
) {
  const seconds = Math.max(1, Math.ceil(retryAfterSeconds));
  const counted = unit === undefined ? '' : `;qu="${unit}"`;
  const window = windowSeconds === undefined ? '' : `;w=${Math.ceil(windowSeconds)}`;
  return tooManyRequests(detail, {
    fix,
    retryAfterSeconds: seconds,
    headers: {
      'RateLimit-Policy': `"${name}";q=${quota}${counted}${window}`,
      RateLimit: `"${name}";r=0${windowSeconds === undefined ? '' : `;t=${seconds}`}`,
    },
  });
}
