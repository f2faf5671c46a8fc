import { SkerryProblem } from '../../transport/problem.ts';

/** Has what Skerry refuses say which file it is about: of several, its fields alone do not tell. */
export async function nameFile<Result>(file: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof SkerryProblem)) throw error;
    throw new SkerryProblem({ ...error.body, file }, error.retryAfter);
  }
}
