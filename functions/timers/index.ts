import { app, type InvocationContext, type Timer, type TimerHandler } from '@azure/functions';
import { type Log, logOf } from '../log.ts';
import { services } from '../services.ts';
import { describeCleanup } from './describe-cleanup.ts';
import { describeSweep } from './describe-sweep.ts';

const { settings } = services();
/** Every five minutes: what is cut off waits for an hour anyway. */
const COMPACTION_SCHEDULE = '30 */5 * * * *';

/** Runs on one instance of the app at a time, and not on top of itself; what fails is left to the next run. */
app.timer('timers-sweep', { schedule: settings.SKERRY_SWEEP_SCHEDULE, handler: timed(sweep) });

/** Any number of runs may be under way at once, and each goes on where another was cut off. */
app.timer('timers-compact', { schedule: COMPACTION_SCHEDULE, handler: timed(compact) });

/** As compaction. */
app.timer('timers-bundles', {
  schedule: settings.SKERRY_BUNDLE_CLEANUP_SCHEDULE,
  handler: timed(cleanUpBundles),
});

function timed(work: (log: Log) => Promise<void>): TimerHandler {
  return (_timer: Timer, context: InvocationContext) =>
    work(logOf(context, { isLocal: settings.SKERRY_LOCAL }));
}

async function sweep(log: Log): Promise<void> {
  const summary = await services().sweep.run();
  const line = describeSweep(summary);
  if (line !== undefined) {
    log.info(line);
  }
  for (const { scope, error } of summary.failed) {
    log.error(`The sweep failed in ${scope}:`, error);
  }
}

async function compact(log: Log): Promise<void> {
  const { removed, scopes, postponed, failed } = await services().compactor.run();
  if (removed > 0 || postponed > 0) {
    log.info(`Compaction: ${removed} changes removed, ${scopes} scopes looked at, ${postponed} postponed.`);
  }
  for (const { scope, error } of failed) {
    log.error(`The compaction failed in ${scope}:`, error);
  }
}

async function cleanUpBundles(log: Log): Promise<void> {
  const summary = await services().bundleCleanup.run();
  const line = describeCleanup(summary);
  if (line !== undefined) {
    log.info(line);
  }
  for (const { folder, error } of summary.failed) {
    log.error(`The cleanup failed in ${folder}:`, error);
  }
}
