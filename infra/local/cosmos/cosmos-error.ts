/** The `code` texts that the service pairs with each status. */
const CODES: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  408: 'RequestTimeout',
  409: 'Conflict',
  410: 'Gone',
  412: 'PreconditionFailed',
  413: 'RequestEntityTooLarge',
  429: 'TooManyRequests',
  449: 'RetryWith',
  500: 'InternalServerError',
  501: 'NotImplemented',
  503: 'ServiceUnavailable',
};

/** Sub-statuses that the SDKs act upon (@azure/cosmos common/statusCodes.js). */
export const SUB_STATUS = {
  none: 0,
  partitionKeyMismatch: 1001,
  crossPartitionQueryNotServable: 1004,
  readSessionNotAvailable: 1002,
  partitionKeyRangeGone: 1002,
  ownerResourceNotFound: 1003,
  throttled: 3200,
  dataPlaneOnly: 5300,
} as const;

/** A refusal in the service's own words: status, sub-status, code and message. */
export class CosmosError extends Error {
  readonly status: number;
  readonly subStatus: number;
  readonly code: string;
  /** Milliseconds, sent as x-ms-retry-after-ms. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, message: string, subStatus: number = SUB_STATUS.none, retryAfterMs?: number) {
    // Refusals are answers: a 404 proves that a reader is current, and its stack would cost more than the read.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'CosmosError';
    this.status = status;
    this.subStatus = subStatus;
    this.code = CODES[status] ?? 'Unknown';
    this.retryAfterMs = retryAfterMs;
  }
}

/** Refuses a query that clients must put together themselves, and tells them how. */
export class QueryPlanNeeded extends CosmosError {
  /** The plan's JSON text. */
  readonly plan: string;

  constructor(message: string, plan: string) {
    super(400, message, SUB_STATUS.crossPartitionQueryNotServable);
    this.plan = plan;
  }
}

export function badRequest(message: string, subStatus: number = SUB_STATUS.none): CosmosError {
  return new CosmosError(400, message, subStatus);
}

export function notFound(message = 'Resource Not Found.', subStatus: number = SUB_STATUS.none): CosmosError {
  return new CosmosError(404, message, subStatus);
}

/** What Azure offers and this emulator does not: refused rather than answered wrongly. */
export function notSupported(feature: string): CosmosError {
  return new CosmosError(501, `${feature} is not supported by this emulator.`);
}
