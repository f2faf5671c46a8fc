import { readUsage } from './usage.ts';

/** In a `ServerProcess`: tells the bench where the server answers, then what the process has used whenever it asks; ends with it. */
export function reportToBench(connectionString: string): void {
  process.on('message', (message) => {
    if (message === 'usage') process.send?.(readUsage());
  });
  process.once('disconnect', () => process.exit());
  process.send?.(connectionString);
}
