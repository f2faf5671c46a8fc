/** `npm start`: everything that Skerry needs, in one go. See `launch/options.ts` for its flags. */
import { banner } from './launch/banner.ts';
import { launchSkerry } from './launch/launch-skerry.ts';
import { type LaunchOptions, parseLaunchOptions, START_USAGE } from './launch/options.ts';
import { runUntilStopped } from './launch/run-until-stopped.ts';

await runUntilStopped<LaunchOptions>({
  command: 'npm start',
  usage: START_USAGE,
  parse: parseLaunchOptions,
  say: console.log,
  async start(options, teardown) {
    const skerry = await launchSkerry(options, teardown);
    console.log(banner({ ...skerry, options, pid: process.pid }));
  },
});
