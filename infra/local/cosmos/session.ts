import { badRequest, CosmosError, SUB_STATUS } from './cosmos-error.ts';
import { type CosmosRequest, header } from './request.ts';

/** What the emulated account guarantees unless a request asks for less. */
export const ACCOUNT_CONSISTENCY = 'Strong';

const LEVELS = ['Strong', 'BoundedStaleness', 'Session', 'ConsistentPrefix', 'Eventual'];

export function consistencyOf(request: CosmosRequest): string {
  const level = header(request, 'x-ms-consistency-level') ?? ACCOUNT_CONSISTENCY;
  if (!LEVELS.includes(level)) throw badRequest(`The consistency level ${level} is unknown.`);
  return level;
}

/** A read that a lagging replica may answer. */
export function isWeak(request: CosmosRequest): boolean {
  return consistencyOf(request) !== 'Strong';
}

/**
 * What the session of a request has seen of a range, by its token (`0:-1#42`, several joined by commas); 0 without one.
 * @throws CosmosError 404/1002 when that is more than there is, as after a restore: the SDK then drops its token
 */
export function sessionLsnOf(request: CosmosRequest, range: string, lsn: number): number {
  const token = header(request, 'x-ms-session-token');
  if (token === undefined || consistencyOf(request) !== 'Session') return 0;
  const parts = token.split(',').map((part) => /^(\d+):-?\d+#(\d+)/.exec(part));
  if (parts.includes(null)) throw badRequest(`The session token ${token} is invalid.`);
  const seen = Number(parts.find((part) => part?.[1] === range)?.[2] ?? 0);
  if (seen <= lsn) return seen;
  throw new CosmosError(
    404,
    'The read session is not available for the input session token.',
    SUB_STATUS.readSessionNotAvailable,
  );
}
