/** `npm start`: everything that Skerry needs, in one go. See `launch/options.ts` for its flags. */
import { banner } from './launch/banner.ts';
import { startCloud } from './launch/cloud.ts';
import { LaunchError } from './launch/launch-error.ts';
import { type LaunchOptions, parseLaunchOptions, USAGE, UsageError } from './launch/options.ts';
import { shareCompiledCode } from './launch/share-compiled-code.ts';
import { Teardown } from './launch/teardown.ts';

/** npm passes on a Ctrl-C that the terminal has already sent to this process: signals this close together are one. */
const SAME_SIGNAL_MILLISECONDS = 500;

shareCompiledCode();
const options = readCommandLine();
const teardown = new Teardown();
stopOnSignals();
await start();

function readCommandLine(): LaunchOptions {
  try {
    const parsed = parseLaunchOptions(process.argv.slice(2));
    if (parsed !== 'help') return parsed;
    console.log(USAGE);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\nnpm start -- --help lists the flags.`);
    process.exit(2);
  }
}

async function start(): Promise<void> {
  try {
    const cloud = await startCloud(options, teardown);
    console.log(banner({ ...cloud, options, pid: process.pid }));
  } catch (error) {
    if (teardown.begun) return;
    console.error(error instanceof LaunchError ? error.message : error);
    await teardown.run();
    process.exit(1);
  }
}

function stopOnSignals(): void {
  let firstAt: number | undefined;
  const stop = async () => {
    const now = performance.now();
    if (firstAt !== undefined) {
      if (now - firstAt > SAME_SIGNAL_MILLISECONDS) process.exit(1);
      return;
    }
    firstAt = now;
    await teardown.run();
    console.log('Skerry has stopped.');
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => void stop());
  }
}
