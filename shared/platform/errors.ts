import type { Denial } from './http/access.ts';

/**
 * The closed set of errors that domains throw. Each kind is mapped to one HTTP status and one stable
 * problem type in `shared/platform/http/problem.ts`; anything else that is thrown is a 500 without details.
 */
export type ErrorKind =
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'method-not-allowed'
  | 'not-acceptable'
  | 'conflict'
  | 'compacted'
  | 'precondition-failed'
  | 'too-large'
  | 'unsupported-media-type'
  | 'range-not-satisfiable'
  | 'unprocessable'
  | 'too-many-requests'
  | 'unavailable';

export interface ErrorDetails {
  /** Where in the request the fault is: a field path such as `endpoints.http`, or a header or parameter name. */
  readonly field?: string;
  /** What the caller should do about it, as a sentence. */
  readonly fix?: string;
  /** After how many seconds a retry makes sense; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Further response headers that the error calls for, such as `Allow`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the problem body that the error calls for, such as `resyncFrom`. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** What the caller may not do, where that is why; the answer does not tell. */
  readonly denial?: Denial | undefined;
  readonly cause?: unknown;
}

export class SkerryError extends Error {
  readonly kind: ErrorKind;
  readonly field: string | undefined;
  readonly fix: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly denial: Denial | undefined;

  constructor(kind: ErrorKind, detail: string, details: ErrorDetails = {}) {
    super(detail, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SkerryError';
    this.kind = kind;
    this.field = details.field;
    this.fix = details.fix;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.headers = details.headers ?? {};
    this.extensions = details.extensions ?? {};
    this.denial = details.denial;
  }

  /** The same error with further response headers, or with what it denies. */
  with({ headers, denial = this.denial }: Pick<ErrorDetails, 'headers' | 'denial'>): SkerryError {
    const { kind, message, field, fix, retryAfterSeconds, extensions, cause } = this;
    return new SkerryError(kind, message, {
      ...(field !== undefined && { field }),
      ...(fix !== undefined && { fix }),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
      extensions,
      headers: { ...this.headers, ...headers },
      denial,
      cause,
    });
  }
}

/** The request itself is wrong (400). */
export function invalid(detail: string, details?: ErrorDetails): SkerryError {
  return new SkerryError('invalid', detail, details);
}

/** There is no such thing, or the caller may not know of it (404). */
export function notFound(detail: string, details?: ErrorDetails): SkerryError {
  return new SkerryError('not-found', detail, details);
}

/** The thing exists already or is in a state that forbids the request (409). */
export function conflict(detail: string, details?: ErrorDetails): SkerryError {
  return new SkerryError('conflict', detail, details);
}

/**
 * What is asked for was there, and its history is gone (410).
 *
 * @param details.extensions `compactedTo`: what is older than this revision is gone; `resyncFrom`: the revision to go on from.
 */
export function compacted(detail: string, details?: ErrorDetails): SkerryError {
  return new SkerryError('compacted', detail, details);
}

/** `If-Match` or `If-None-Match` does not hold (412). */
export function preconditionFailed(detail: string, details?: ErrorDetails): SkerryError {
  return new SkerryError('precondition-failed', detail, details);
}

/** A value or body exceeds its limit (413). */
export function tooLarge(detail: string, details?: ErrorDetails): SkerryError {
  return new SkerryError('too-large', detail, details);
}

/** Well formed, but against a rule that the content itself names, such as an application's schema (422). */
export function unprocessable(detail: string, details?: ErrorDetails): SkerryError {
  return new SkerryError('unprocessable', detail, details);
}

/** A limit of this process is reached; a retry makes sense (429). */
export function tooManyRequests(detail: string, details?: ErrorDetails): SkerryError {
  return new SkerryError('too-many-requests', detail, { retryAfterSeconds: 5, ...details });
}

/** Whether a dependency did not answer: what passes by itself, as opposed to a fault of the caller or of this program. */
export function isUnavailable(error: unknown): error is SkerryError {
  return error instanceof SkerryError && error.kind === 'unavailable';
}

/** Whether a domain refused: what stays refused as things stand. */
export function isRefusal(error: unknown): error is SkerryError {
  return error instanceof SkerryError && error.kind !== 'unavailable';
}

const RETRY = 'Try again later; after a write, read first whether it stands.';

/** A dependency does not answer; nothing is known to be lost, and a retry makes sense (503). */
export function unavailable(detail: string, details?: ErrorDetails): SkerryError {
  return new SkerryError('unavailable', detail, { retryAfterSeconds: 2, fix: RETRY, ...details });
}
