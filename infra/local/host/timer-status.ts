import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const timerStatusSchema = z.object({
  /** Start of the last run, 0 if there was none; all three in milliseconds since the epoch. */
  last: z.number(),
  next: z.number(),
  lastUpdated: z.number(),
});

export type TimerStatus = z.output<typeof timerStatusSchema>;

/** Remembers when a timer ran, so that a run that was missed while the host was away is made up for. */
export interface TimerStatusStore {
  read(functionName: string): Promise<TimerStatus | undefined>;
  write(functionName: string, status: TimerStatus): Promise<void>;
}

/** Keeps one JSON file for each function. */
export class TimerStatusFiles implements TimerStatusStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async read(functionName: string): Promise<TimerStatus | undefined> {
    const text = await readFile(this.#path(functionName), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return timerStatusSchema.parse(JSON.parse(text));
    } catch {
      // A file that a crash of the machine left torn counts as none, as in Azure.
      return undefined;
    }
  }

  async write(functionName: string, status: TimerStatus): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const path = this.#path(functionName);
    await writeFile(`${path}.new`, JSON.stringify(status));
    await rename(`${path}.new`, path);
  }

  #path(functionName: string): string {
    return join(this.#folder, `${functionName}.json`);
  }
}

/** Remembers for as long as the process lives. */
export class TimerStatusMemory implements TimerStatusStore {
  readonly #statuses = new Map<string, TimerStatus>();

  async read(functionName: string): Promise<TimerStatus | undefined> {
    return this.#statuses.get(functionName);
  }

  async write(functionName: string, status: TimerStatus): Promise<void> {
    this.#statuses.set(functionName, status);
  }
}
