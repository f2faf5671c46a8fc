import { app, type InvocationContext, type Timer } from '@azure/functions';
import { services } from '../services.ts';
import { describeCleanup } from './describe-cleanup.ts';
import { describeSweep } from './describe-sweep.ts';

const { settings } = services();
/** Every five minutes: what is cut off waits for an hour anyway. */
const COMPACTION_SCHEDULE = '30 */5 * * * *';

/** Runs on one instance of the app at a time, and not on top of itself; what fails is left to the next run. */
app.timer('timers-sweep', { schedule: settings.SKERRY_SWEEP_SCHEDULE, handler: sweep });

/** Any number of runs may be under way at once, and each goes on where another was cut off. */
app.timer('timers-compact', { schedule: COMPACTION_SCHEDULE, handler: compact });

/** As compaction. */
app.timer('timers-bundles', { schedule: settings.SKERRY_BUNDLE_CLEANUP_SCHEDULE, handler: cleanUpBundles });

async function sweep(_timer: Timer, context: InvocationContext): Promise<void> {
  const summary = await services().sweep.run();
  const line = describeSweep(summary);
  if (line !== undefined) {
    context.log(line);
  }
  for (const { scope, error } of summary.failed) {
    context.error(`The sweep failed in ${scope}:`, error);
  }
}

async function compact(_timer: Timer, context: InvocationContext): Promise<void> {
  const { removed, scopes, postponed, failed } = await services().compactor.run();
  if (removed > 0 || postponed > 0) {
    context.log(
      `Compaction: ${removed} changes removed, ${scopes} scopes looked at, ${postponed} postponed.`,
    );
  }
  for (const { scope, error } of failed) {
    context.error(`The compaction failed in ${scope}:`, error);
  }
}

async function cleanUpBundles(_timer: Timer, context: InvocationContext): Promise<void> {
  const summary = await services().bundleCleanup.run();
  const line = describeCleanup(summary);
  if (line !== undefined) {
    context.log(line);
  }
  for (const { folder, error } of summary.failed) {
    context.error(`The cleanup failed in ${folder}:`, error);
  }
}
