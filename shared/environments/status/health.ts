import { toTimestamp } from '../../platform/clock.ts';
import type { Health } from '../environment.ts';

/** What one round of polls found of everything that a resource, or the environment itself, names. */
export type Verdict = { readonly isHealthy: true } | { readonly isHealthy: false; readonly detail: string };

/** What has status endpoints. */
export interface Watched {
  readonly statusEndpoints: readonly string[];
  readonly health?: Health;
}

const MAX_DETAIL_CHARACTERS = 300;

/**
 * What the endpoints say together; undefined as long as one that has not been asked could make it worse.
 *
 * @param answers by endpoint: what is wrong with it, or undefined where it is well.
 */
export function verdictOf(
  endpoints: readonly string[],
  answers: ReadonlyMap<string, string | undefined>,
): Verdict | undefined {
  const bad = endpoints.find((endpoint) => answers.get(endpoint) !== undefined);
  if (bad !== undefined) {
    return { isHealthy: false, detail: `${bad}: ${answers.get(bad)}`.slice(0, MAX_DETAIL_CHARACTERS) };
  }
  return endpoints.every((endpoint) => answers.has(endpoint)) ? { isHealthy: true } : undefined;
}

/**
 * The health after a round: the same object unless it changed, so that only changes are written.
 *
 * @param verdict undefined where nobody could be asked.
 */
export function healthAfter(
  { statusEndpoints, health }: Watched,
  verdict: Verdict | undefined,
  now: number,
): Health | undefined {
  if (statusEndpoints.length === 0) {
    return undefined;
  }
  if (verdict === undefined || health?.state === (verdict.isHealthy ? 'healthy' : 'unhealthy')) {
    return health;
  }
  const since = toTimestamp(now);
  return verdict.isHealthy
    ? { state: 'healthy', since }
    : { state: 'unhealthy', since, detail: verdict.detail };
}
