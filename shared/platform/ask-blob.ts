import { SkerryError, unavailable } from './errors.ts';

export const BLOB_STATUS = { notFound: 404, conflict: 409, preconditionFailed: 412 } as const;

/** How long a caller waits for a call that moves nothing, its retries included. */
const PATIENCE_MILLISECONDS = 10_000;
/** What is moved more slowly than this, in bytes a second, counts as not moving. */
const SLOWEST = 512 * 1024;

/** The HTTP status that an error of the Blob SDK carries; undefined for faults below HTTP (refused, reset, timed out). */
export function blobStatusOf(error: unknown): number | undefined {
  return typeof error === 'object' &&
    error !== null &&
    'statusCode' in error &&
    typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined;
}

/** The service's own word for what went wrong, such as `BlobImmutableDueToPolicy`. */
export function blobCodeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/** Whether a call failed because there is no such blob. A container that is missing is a fault of the installation. */
export function isBlobMissing(error: unknown): boolean {
  return blobStatusOf(error) === BLOB_STATUS.notFound && blobCodeOf(error) !== 'ContainerNotFound';
}

/** Whether a write was refused because there is a blob already, or one that a policy protects. */
export function isBlobTaken(error: unknown): boolean {
  const code = blobCodeOf(error);
  return (
    blobStatusOf(error) === BLOB_STATUS.preconditionFailed ||
    code === 'BlobAlreadyExists' ||
    code === 'BlobImmutableDueToPolicy'
  );
}

/** Whether the outcome of the call is unknown or a retry may help: the service or the way to it failed, not the request. */
export function isPassingBlobFault(error: unknown): boolean {
  const status = blobStatusOf(error);
  if (status === undefined) {
    return (
      error instanceof Error &&
      (error.name === 'AbortError' || error.name === 'TimeoutError' || blobCodeOf(error) !== undefined)
    );
  }
  return status === 408 || status === 429 || status >= 500;
}

/**
 * Runs one call of the Blob SDK and turns its passing faults into `unavailable`.
 *
 * @param call is given the signal that ends the SDK's retries once nobody waits for them any more.
 * @param options.bytes how many it moves, for which it is given time.
 * @throws SkerryError `unavailable` when the account is throttled, cannot be reached, or takes longer than 10 s and what the
 *   bytes need; other SDK errors pass through.
 */
export async function askBlob<Answer>(
  call: (abortSignal: AbortSignal) => Promise<Answer>,
  { bytes = 0 }: { readonly bytes?: number } = {},
): Promise<Answer> {
  const milliseconds = PATIENCE_MILLISECONDS + (1000 * bytes) / SLOWEST;
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), milliseconds);
  try {
    return await call(patience.signal);
  } catch (error) {
    if (!(error instanceof SkerryError) && isPassingBlobFault(error)) {
      throw unavailable('The blob storage cannot be reached at the moment.', { cause: error });
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
