import type { RawStorage } from './raw-storage.ts';
import type { ServerProcess } from './server-process.ts';
import { type Figures, measure, type Work } from './work.ts';

/** One row of a table: an operation, and how many of it are under way at once. */
export interface Row<Client> {
  readonly name: string;
  readonly concurrency: number;
  /** Makes ready what is not to be measured. */
  prepare(client: Client): Promise<Run>;
  /** What the operation writes, as LMDB alone would write one value for it. */
  write?(storage: RawStorage): Promise<Work>;
}

export interface Run {
  perform(): Promise<Work>;
  /** Tidies up, unmeasured. */
  finish?(): Promise<unknown>;
}

/** A server with the SDK's client for it. */
export interface Target<Client> {
  readonly server: ServerProcess;
  readonly client: Client;
}

export interface Targets<Client> {
  readonly emulator: Target<Client>;
  readonly stub: Target<Client>;
  readonly unsynced: RawStorage;
  readonly synced: RawStorage;
}

/** What one row came to in one round. */
export interface RoundFigures {
  readonly emulator: Figures;
  readonly stub: Figures;
  /** Operations a second; absent where nothing is written. */
  readonly unsynced: number | undefined;
  readonly synced: number | undefined;
}

/**
 * Takes every row with the emulator and right after it with its floors, several rounds over after one to warm up, so that a
 * busy moment of the machine meets all alike.
 */
export async function takeRounds<Client>(
  rows: readonly Row<Client>[],
  targets: Targets<Client>,
  rounds: number,
): Promise<Map<Row<Client>, RoundFigures[]>> {
  const taken = new Map<Row<Client>, RoundFigures[]>(rows.map((row) => [row, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const row of rows) {
      const figures = {
        emulator: await take(row, targets.emulator),
        stub: await take(row, targets.stub),
        unsynced: await rate(row.write?.(targets.unsynced)),
        synced: await rate(row.write?.(targets.synced)),
      };
      if (round > 0) taken.get(row)?.push(figures);
    }
  }
  return taken;
}

async function take<Client>(row: Row<Client>, { server, client }: Target<Client>): Promise<Figures> {
  const run = await row.prepare(client);
  const figures = await measure(server, run.perform);
  await run.finish?.();
  return figures;
}

async function rate(work: Promise<Work> | undefined): Promise<number | undefined> {
  const done = await work;
  return done && done.operations / done.seconds;
}
