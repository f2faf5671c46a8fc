import { SkerryProblem } from '../transport/problem.ts';

/** A failure as a person reads it: what happened and what to do. */
export function failureAsText(error: unknown): string {
  if (error instanceof SkerryProblem) {
    const { detail, field, fix, requestId } = error;
    const where = field === undefined ? '' : ` (${field})`;
    return [
      `${detail}${where}`,
      ...(fix === undefined ? [] : [`  ${fix}`]),
      ...(requestId === undefined ? [] : [`  request ${requestId}`]),
    ].join('\n');
  }
  return error instanceof Error ? error.message : String(error);
}

/** A failure as a program reads it: Skerry's problem as it came, or one like it. */
export function failureAsJson(error: unknown): unknown {
  if (error instanceof SkerryProblem) return error.body;
  const isError = error instanceof Error;
  return { title: isError ? error.name : 'Error', detail: isError ? error.message : String(error) };
}
