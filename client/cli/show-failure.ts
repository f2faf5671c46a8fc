import { SkerryProblem } from '../transport/problem.ts';

interface Fault {
  readonly detail: string;
  readonly field?: string | undefined;
  readonly fix?: string | undefined;
}

/** What to do about a refusal here, by its kind; what Skerry says is for programs that send requests. */
const WAYS_IN: Readonly<Record<string, string>> = {
  unauthorized:
    'Set SKERRY_TOKEN to a token that holds: who may makes one by "skerry token create". With an account of Entra ID, SKERRY_TOKEN_COMMAND gets one (docs/cli.md).',
  forbidden:
    '"skerry whoami" shows who you are and what you may do; who may do more gives a role ("skerry role put") or a token ("skerry token create").',
};

/** Commands ask for no path that is not there; Skerry says so of what the caller may not see. */
const MAY_BE_HIDDEN = 'Or you may not see it: "skerry whoami" shows what you may do.';

/** A failure as a person reads it: what happened and what to do, for each of the faults where there are several. */
export function failureAsText(error: unknown): string {
  if (error instanceof SkerryProblem) {
    const { requestId, title } = error;
    const { file, faults } = error.body;
    const subject = typeof file === 'string' ? `${file}: ` : '';
    const lines =
      Array.isArray(faults) && faults.length > 1
        ? [`${title}:`, ...faults.flatMap((fault) => faultAsLines(fault, '- '))]
        : faultAsLines({
            detail: error.detail,
            field: error.field,
            fix: isHidden(error) ? MAY_BE_HIDDEN : (WAYS_IN[error.kind] ?? error.fix),
          });
    if (requestId !== undefined) lines.push(`  request ${requestId}`);
    return `${subject}${lines.join('\n')}`;
  }
  return error instanceof Error ? error.message : String(error);
}

function isHidden({ kind, detail }: SkerryProblem): boolean {
  return kind === 'not-found' && detail.startsWith('There is nothing at ');
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
