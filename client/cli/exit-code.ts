import { SkerryProblem, SkerryUncertain, SkerryUnreachable } from '../transport/problem.ts';

/** How the command line ends, for scripts; `docs/cli.md` names them. */
export const EXIT = {
  ok: 0,
  /** Skerry refused, or something failed here. */
  failed: 1,
  /** The command line or the configuration cannot be understood. */
  usage: 2,
  notFound: 3,
  /** A precondition does not hold, or the present state forbids it. */
  conflict: 4,
  /** No answer, or one that says to come again: the same command may succeed later. */
  unreachable: 5,
  /** Ctrl-C, as shells have it: 128 and the number of the signal. */
  interrupted: 130,
} as const;

/** The exit code that tells a script what kind of failure this was. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof SkerryUnreachable || error instanceof SkerryUncertain) return EXIT.unreachable;
  if (!(error instanceof SkerryProblem)) return EXIT.failed;
  switch (error.status) {
    case 404:
      return EXIT.notFound;
    case 409:
    case 412:
      return EXIT.conflict;
    case 429:
    case 502:
    case 503:
    case 504:
      return EXIT.unreachable;
    default:
      return EXIT.failed;
  }
}
