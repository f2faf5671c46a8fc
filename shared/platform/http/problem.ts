import { type ErrorKind, SkerryError } from '../errors.ts';
import { metrics } from '../telemetry/index.ts';
import type { ShowRefusal, Surface } from './endpoint.ts';
import type { HeaderReader } from './request.ts';
import { type HttpResponse, text } from './response.ts';

const PROBLEM_BASE = 'https://skerry.dev/problems/';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
}

/** Every problem type of the API; a type never changes its status or meaning. */
export const PROBLEM_KINDS: Readonly<Record<ErrorKind | 'internal', ProblemKind>> = {
  invalid: { status: 400, title: 'The request is not valid' },
  unauthorized: { status: 401, title: 'The request carries no accepted credentials' },
  forbidden: { status: 403, title: 'The caller may not do this' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'method-not-allowed': { status: 405, title: 'The resource does not know this method' },
  'not-acceptable': { status: 406, title: 'No form that the request accepts is offered' },
  conflict: { status: 409, title: 'The request conflicts with the present state' },
  compacted: { status: 410, title: 'The history that this needs is gone' },
  'precondition-failed': { status: 412, title: 'The precondition does not hold' },
  'too-large': { status: 413, title: 'The content is too large' },
  'unsupported-media-type': { status: 415, title: 'The content type is not accepted' },
  'range-not-satisfiable': { status: 416, title: 'The range lies outside of the content' },
  unprocessable: { status: 422, title: 'The content breaks a rule' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  unavailable: { status: 503, title: 'A dependency does not answer' },
  internal: { status: 500, title: 'Something failed on our side' },
};

/**
 * The statuses of the surfaces that Skerry replaces know no 422: content that breaks a rule is bad input
 * there.
 */
const LEGACY_STATUSES: Partial<Record<ErrorKind, number>> = { unprocessable: 400 };

/** RFC 9457, with what a person needs to set the request right. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly field?: string;
  readonly fix?: string;
  readonly requestId: string;
}

/** How refusals are told that are not problems: as text unless said otherwise. */
export interface RefusalForm {
  readonly show: ShowRefusal | undefined;
  readonly headers: HeaderReader;
}

/** The answer for anything thrown; what is not a SkerryError tells nothing but the request id. */
export function errorResponse(
  error: unknown,
  surface: Surface,
  requestId: string,
  form?: RefusalForm,
): HttpResponse {
  const known = error instanceof SkerryError ? error : undefined;
  const headers = { ...known?.headers, ...retryAfter(known) };
  metrics.httpRefusals.add({ reason: known?.kind ?? 'internal' });
  if (surface === 'legacy') {
    const kind = known?.kind ?? 'internal';
    const status = (known && LEGACY_STATUSES[known.kind]) ?? PROBLEM_KINDS[kind].status;
    const reason = known === undefined ? PROBLEM_KINDS.internal.title : reasonOf(known);
    const refusal = form?.show?.(status, reason, form.headers) ?? text(status, `${reason}\n`);
    return { ...refusal, headers: { ...refusal.headers, ...headers } };
  }
  const problem = toProblem(known, requestId);
  return {
    status: problem.status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
    body: `${JSON.stringify(problem)}\n`,
  };
}

/** The body of the answer for an error; what is none of ours tells nothing. */
export function toProblem(error: SkerryError | undefined, requestId: string): Problem {
  const kind = error?.kind ?? 'internal';
  const { status, title } = PROBLEM_KINDS[kind];
  return {
    type: PROBLEM_BASE + kind,
    title,
    status,
    detail: error?.message ?? 'The request failed; the log tells more under its request id.',
    ...error?.extensions,
    ...(error?.field !== undefined && { field: error.field }),
    ...(error?.fix !== undefined && { fix: error.fix }),
    requestId,
  };
}

function reasonOf(error: SkerryError): string {
  return error.fix === undefined ? error.message : `${error.message} ${error.fix}`;
}

function retryAfter(error: SkerryError | undefined): Record<string, string> {
  const seconds = error?.retryAfterSeconds;
  return seconds === undefined ? {} : { 'Retry-After': String(Math.ceil(seconds)) };
}
