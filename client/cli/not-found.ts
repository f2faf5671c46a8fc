import { SkerryProblem } from '../transport/problem.ts';

/** What Skerry answers when something is not there, for calls of the client that take it as no error. */
export function notFound(detail: string, fix?: string): SkerryProblem {
  return new SkerryProblem({
    type: 'https://skerry.dev/problems/not-found',
    title: 'There is no such thing',
    status: 404,
    detail,
    ...(fix !== undefined && { fix }),
  });
}
