import { LaunchError } from './launch-error.ts';
import { UsageError } from './options.ts';
import { shareCompiledCode } from './share-compiled-code.ts';
import { Teardown } from './teardown.ts';

/** npm passes on a Ctrl-C that the terminal has already sent to this process: signals this close together are one. */
const SAME_SIGNAL_MILLISECONDS = 500;

export interface Program<Options> {
  /** How it is called, for whoever misspelt a flag. */
  readonly command: string;
  readonly usage: string;
  /** @throws UsageError */
  readonly parse: (commandLine: readonly string[]) => Options | 'help';
  /**
   * Starts what must run, and tells `teardown` what must be stopped.
   *
   * @throws LaunchError for what the caller can mend.
   */
  readonly start: (options: Options, teardown: Teardown) => Promise<void>;
  /** Says goodbye on the stream on which this program speaks to people. */
  readonly say: (text: string) => void;
}

/**
 * Runs one of the programs that start servers, until Ctrl-C or a signal. The process ends with 0 when it was stopped, 1 when the
 * start failed, and 2 when the command line cannot be understood.
 */
export async function runUntilStopped<Options>(program: Program<Options>): Promise<void> {
  shareCompiledCode();
  const options = readCommandLine(program);
  const teardown = new Teardown();
  stopOnSignals(teardown, program.say);
  try {
    await program.start(options, teardown);
  } catch (error) {
    if (teardown.begun) return;
    console.error(error instanceof LaunchError ? error.message : error);
    await teardown.run();
    process.exit(1);
  }
}

function readCommandLine<Options>({ command, usage, parse }: Program<Options>): Options {
  try {
    const parsed = parse(process.argv.slice(2));
    if (parsed !== 'help') return parsed;
    console.log(usage);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n${command} -- --help lists the flags.`);
    process.exit(2);
  }
}

function stopOnSignals(teardown: Teardown, say: (text: string) => void): void {
  let firstAt: number | undefined;
  const stop = async () => {
    const now = performance.now();
    if (firstAt !== undefined) {
      if (now - firstAt > SAME_SIGNAL_MILLISECONDS) process.exit(1);
      return;
    }
    firstAt = now;
    await teardown.run();
    say('Skerry has stopped.');
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => void stop());
  }
}
