import { EXIT } from './exit-code.ts';
import { runCommandLine } from './run-command-line.ts';

/** Exit code of a process that SIGTERM ends, as shells have it. */
const TERMINATED = 143;

const interruption = new AbortController();
let signalled: number | undefined;
process.on('SIGINT', () => stop(EXIT.interrupted));
process.on('SIGTERM', () => stop(TERMINATED));
// Whoever read the output has seen enough (`skerry watch / | head -1`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.ok);
});

const exitCode = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  folder: process.cwd(),
  input: process.stdin,
  out: process.stdout,
  err: process.stderr,
  signal: interruption.signal,
});
// Connections that are kept alive would hold the process, and output to a pipe is written later.
process.exitCode = signalled ?? exitCode;
process.stdout.write('', () => process.exit());

/** The first signal ends what is going on in order, the second at once. */
function stop(code: number): void {
  if (signalled !== undefined) process.exit(code);
  signalled = code;
  interruption.abort(new Error('interrupted'));
}
