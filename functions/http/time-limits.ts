import { z } from 'zod';

/** Seconds: a day. */
export const MAX_TTL = 86_400;

/** The ttl of a lease that a caller renews. */
export const ttlSchema = z
  .int()
  .min(1)
  .max(MAX_TTL)
  .describe('Seconds that every renewal buys at least, and a half more at most.');

/** How long a request may be held, in seconds: the front end of Azure ends an idle connection at about 230. */
export const MAX_WAIT_SECONDS = 200;
