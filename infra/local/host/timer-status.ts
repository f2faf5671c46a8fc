import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readJson } from './read-json.ts';

const timerStatusSchema = z.object({
  /** Start of the last run, 0 if there was none; all three in milliseconds since the epoch. */
  last: z.number(),
  next: z.number(),
  lastUpdated: z.number(),
});

export type TimerStatus = z.output<typeof timerStatusSchema>;

/**
 * Remembers when timers ran, so that a run that was missed while the host was away is made up for: one JSON file for each
 * function, nothing without a folder.
 */
export class TimerStatuses {
  readonly #folder: string | undefined;

  constructor(folder: string | undefined) {
    this.#folder = folder;
  }

  async read(functionName: string): Promise<TimerStatus | undefined> {
    if (this.#folder === undefined) return undefined;
    try {
      return await readJson(join(this.#folder, `${functionName}.json`), timerStatusSchema);
    } catch {
      // A file that a crash of the machine left torn counts as none, as in Azure.
      return undefined;
    }
  }

  async write(functionName: string, status: TimerStatus): Promise<void> {
    if (this.#folder === undefined) return;
    await mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, `${functionName}.json`);
    await writeFile(`${path}.new`, JSON.stringify(status));
    await rename(`${path}.new`, path);
  }
}
