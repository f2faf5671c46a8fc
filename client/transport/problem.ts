const PROBLEM_BASE = 'https://skerry.dev/problems/';
const FOREIGN = 'about:blank';

/** What the answer to a refused request holds (RFC 9457). */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Where in the request the fault is: a field path, a header or a parameter. */
  readonly field?: string;
  /** What to do about it. */
  readonly fix?: string;
  readonly requestId?: string;
  readonly [extension: string]: unknown;
}

/** Skerry, or something before it, answered with an error. */
export class SkerryProblem extends Error {
  override readonly name: string = 'SkerryProblem';
  /** A stable URI for each kind of problem; `about:blank` when the answer did not come from Skerry. */
  readonly type: string;
  /** The last part of the type, such as `not-found`; `unknown` when the answer did not come from Skerry. */
  readonly kind: string;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly field: string | undefined;
  readonly fix: string | undefined;
  readonly requestId: string | undefined;
  /** The whole body, with the members that only some problems have, such as `compactedTo`. */
  readonly body: ProblemBody;
  /** After how many milliseconds Skerry wants to be asked again. */
  readonly retryAfter: number | undefined;

  constructor(body: ProblemBody, retryAfter?: number) {
    super(body.fix === undefined ? body.detail : `${body.detail} ${body.fix}`);
    this.type = body.type;
    this.kind = body.type.startsWith(PROBLEM_BASE) ? body.type.slice(PROBLEM_BASE.length) : 'unknown';
    this.status = body.status;
    this.title = body.title;
    this.detail = body.detail;
    this.field = body.field;
    this.fix = body.fix;
    this.requestId = body.requestId;
    this.body = body;
    this.retryAfter = retryAfter;
  }
}

/** No answer came: the network failed, or time ran out. `cause` tells which. */
export class SkerryUnreachable extends Error {
  override readonly name: string = 'SkerryUnreachable';
}

/**
 * A write may or may not have been done: an attempt got no clear answer, and repeating it could not tell. Read what stands
 * there before you write again. `cause` is what came last.
 */
export class SkerryUncertain extends Error {
  override readonly name: string = 'SkerryUncertain';
}

/** Whether the error is Skerry's answer that there is no such thing. */
export function isNotFound(error: unknown): error is SkerryProblem {
  return error instanceof SkerryProblem && error.status === 404 && !isForeign(error);
}

/** Whether something on the way answered in Skerry's stead, such as a gateway while Skerry is deployed anew. */
export function isForeign(error: unknown): boolean {
  return error instanceof SkerryProblem && error.type === FOREIGN;
}

/** Undefined where Skerry says that there is no such thing. */
export async function orUndefined<Result>(result: Promise<Result>): Promise<Result | undefined> {
  try {
    return await result;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Whether the same request may succeed later: Skerry is out of reach, overloaded or out of order. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof SkerryUnreachable ||
    error instanceof SkerryUncertain ||
    (error instanceof SkerryProblem && (error.status === 429 || error.status >= 500))
  );
}

/** Reads the problem out of an answer; what is no problem body becomes one. */
export async function readProblem(response: Response): Promise<SkerryProblem> {
  const text = await response.text();
  return new SkerryProblem(parseProblem(text) ?? foreignProblem(response, text), readRetryAfter(response));
}

function parseProblem(text: string): ProblemBody | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return isProblem(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

function isProblem(body: unknown): body is ProblemBody {
  return (
    typeof body === 'object' &&
    body !== null &&
    'type' in body &&
    typeof body.type === 'string' &&
    'status' in body &&
    typeof body.status === 'number' &&
    'detail' in body &&
    typeof body.detail === 'string'
  );
}

function foreignProblem({ status, statusText }: Response, text: string): ProblemBody {
  const excerpt = text.trim().slice(0, 200);
  const said = excerpt === '' ? '' : `: ${excerpt}`;
  return {
    type: FOREIGN,
    title: statusText,
    status,
    detail: `The answer was ${status} and no problem of Skerry${said}`,
  };
}

/** Milliseconds from now; the header names seconds or a date. */
function readRetryAfter({ headers }: Response): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}
