import { SkerryError, unavailable } from './errors.ts';

export const COSMOS_STATUS = {
  notFound: 404,
  conflict: 409,
  preconditionFailed: 412,
  requestTooLarge: 413,
  failedDependency: 424,
  throttled: 429,
  retryWith: 449,
} as const;

/** The HTTP status that a Cosmos SDK error carries; undefined for faults below HTTP (refused, reset, timed out). */
export function cosmosStatusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) {
    return undefined;
  }
  return typeof error.code === 'number' ? error.code : undefined;
}

/** Faults below HTTP carry a code such as `ECONNRESET` or `TimeoutError` as text. */
function isConnectionFault(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === 'AbortError' || ('code' in error && typeof error.code === 'string'))
  );
}

/** Whether the outcome of the call is unknown or a retry may help: the service or the way to it failed, not the request. */
export function isPassingCosmosFault(error: unknown): boolean {
  const status = cosmosStatusOf(error);
  if (status === undefined) {
    return isConnectionFault(error);
  }
  return status === 408 || status === 410 || status === COSMOS_STATUS.retryWith || status >= 500;
}

/**
 * Runs one call of the Cosmos SDK and turns its passing faults into `unavailable`.
 *
 * @throws SkerryError `unavailable` when the account is throttled, times out or cannot be reached; other SDK errors
 *   are faults of this program and pass through.
 */
export async function askCosmos<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof SkerryError) {
      throw error;
    }
    if (cosmosStatusOf(error) === COSMOS_STATUS.throttled) {
      throw unavailable('The database is over its request limit at the moment.', { cause: error });
    }
    if (isPassingCosmosFault(error)) {
      throw unavailable('The database cannot be reached at the moment.', { cause: error });
    }
    throw error;
  }
}
