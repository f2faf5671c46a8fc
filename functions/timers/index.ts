import { app, type InvocationContext, type Timer } from '@azure/functions';
import { services } from '../services.ts';
import { describeSweep } from './describe-sweep.ts';

const { settings } = services();

/** Runs on one instance of the app at a time, and not on top of itself; what fails is left to the next run. */
app.timer('timers-sweep', { schedule: settings.SKERRY_SWEEP_SCHEDULE, handler: sweep });

async function sweep(_timer: Timer, context: InvocationContext): Promise<void> {
  const summary = await services().registry.sweep();
  const line = describeSweep(summary);
  if (line !== undefined) {
    context.log(line);
  }
  for (const { scope, error } of summary.failed) {
    context.error(`The sweep failed in ${scope}:`, error);
  }
}
