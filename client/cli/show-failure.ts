import { SkerryProblem } from '../transport/problem.ts';

interface Fault {
  readonly detail: string;
  readonly field?: string | undefined;
  readonly fix?: string | undefined;
}

/** A failure as a person reads it: what happened and what to do, for each of the faults where there are several. */
export function failureAsText(error: unknown): string {
  if (error instanceof SkerryProblem) {
    const { requestId, title } = error;
    const { file, faults } = error.body;
    const subject = typeof file === 'string' ? `${file}: ` : '';
    const lines =
      Array.isArray(faults) && faults.length > 1
        ? [`${title}:`, ...faults.flatMap((fault) => faultAsLines(fault, '- '))]
        : faultAsLines(error);
    if (requestId !== undefined) lines.push(`  request ${requestId}`);
    return `${subject}${lines.join('\n')}`;
  }
  return error instanceof Error ? error.message : String(error);
}

function faultAsLines({ detail, field, fix }: Fault, bullet = ''): string[] {
  const where = field === undefined ? '' : ` (${field})`;
  return [`${bullet}${detail}${where}`, ...(fix === undefined ? [] : [`  ${fix}`])];
}

/** A failure as a program reads it: Skerry's problem as it came, or one like it. */
export function failureAsJson(error: unknown): unknown {
  if (error instanceof SkerryProblem) return error.body;
  const isError = error instanceof Error;
  return { title: isError ? error.name : 'Error', detail: isError ? error.message : String(error) };
}
