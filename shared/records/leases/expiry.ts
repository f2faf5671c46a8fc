import type { Life } from '../change.ts';

/**
 * Whether a record's own time is over, at `now` in milliseconds since the Unix epoch: from then on it is gone for every
 * reader, and whoever writes its key next writes the `expire` change first.
 */
export function isLapsed({ expiresAt }: Life, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}
