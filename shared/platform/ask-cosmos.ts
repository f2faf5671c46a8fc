import { SkerryError, unavailable } from './errors.ts';
import { inTime } from './in-time.ts';

export const COSMOS_STATUS = {
  notModified: 304,
  notFound: 404,
  conflict: 409,
  preconditionFailed: 412,
  requestTooLarge: 413,
  failedDependency: 424,
  throttled: 429,
  retryWith: 449,
} as const;

/**
 * The SDK repeats a read ten times a second apart when its connection is lost, and 120 times when it times out; no
 * option of its own says otherwise. A caller waits no longer than this.
 */
const PATIENCE_MILLISECONDS = 5_000;

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
 * @param call is given the signal that ends the SDK's retries once nobody waits for them any more.
 * @throws SkerryError `unavailable` when the account is throttled, does not answer within 5 s or cannot be reached;
 *   other SDK errors are faults of this program and pass through.
 */
export async function askCosmos<Answer>(
  call: (abortSignal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  try {
    return await inCosmosTime(call);
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

/**
 * Runs one conditional write of the Cosmos SDK.
 *
 * @returns undefined when another writer came first: the document exists, is gone, or is not the one that was read.
 * @throws what `askCosmos` throws.
 */
export async function unlessPreceded<Answer>(write: () => Promise<Answer>): Promise<Answer | undefined> {
  return await askCosmos(async () => {
    try {
      return await write();
    } catch (error) {
      const status = cosmosStatusOf(error);
      if (
        status === COSMOS_STATUS.conflict ||
        status === COSMOS_STATUS.preconditionFailed ||
        status === COSMOS_STATUS.notFound
      ) {
        return undefined;
      }
      throw error;
    }
  });
}

/**
 * Runs one call of the Cosmos SDK, for no longer than a caller may wait.
 *
 * @throws what the call throws; `CosmosTimeout`, a fault of the connection, when it takes longer than 5 s.
 */
export async function inCosmosTime<Answer>(
  call: (abortSignal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  return await inTime(PATIENCE_MILLISECONDS, call, () => new CosmosTimeout());
}

class CosmosTimeout extends Error {
  readonly code = 'TimeoutError';

  constructor() {
    super(`Cosmos DB did not answer within ${PATIENCE_MILLISECONDS} ms.`);
  }
}
