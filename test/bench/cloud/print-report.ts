import { median, printTable, rounded } from '../statistics.ts';
import type { RoundFigures, Row } from './rounds.ts';

type Taken = ReadonlyMap<Pick<Row<unknown>, 'name' | 'concurrency'>, readonly RoundFigures[]>;
type Select = (round: RoundFigures) => number | undefined;

/** A row's median over its rounds; a ratio is the median of the ratios, whose halves were taken one after the other. */
type Summary = (select: Select) => number;

interface RowSummary {
  readonly name: string;
  readonly concurrency: number;
  readonly summary: Summary;
}

/** Prints two tables, the emulator's figures with their ratios to the floors and the floors themselves, and what limits. */
export function printReport(heading: string, taken: Taken): void {
  const rows = [...taken].map(
    ([{ name, concurrency }, rounds]): RowSummary => ({
      name,
      concurrency,
      summary: (select) => median(rounds.map((round) => select(round) ?? Number.NaN)),
    }),
  );
  printTable(
    `${heading}, medians of the rounds`,
    [
      '',
      'at once',
      'per s',
      'p50 ms',
      'p99 ms',
      'client µs',
      'emulator µs',
      'µs ÷ stub',
      'client busy',
      'emulator busy',
      '÷ stub',
      '÷ put',
      '÷ synced put',
    ],
    rows.map(({ name, concurrency, summary }) => [
      name,
      String(concurrency),
      rounded(
        summary(({ emulator }) => emulator.perSecond),
        0,
      ),
      rounded(
        summary(({ emulator }) => emulator.p50),
        2,
      ),
      rounded(
        summary(({ emulator }) => emulator.p99),
        2,
      ),
      rounded(
        summary(({ emulator }) => emulator.clientCpu),
        0,
      ),
      rounded(
        summary(({ emulator }) => emulator.serverCpu),
        0,
      ),
      rounded(
        summary(({ emulator, stub }) => emulator.serverCpu / stub.serverCpu),
        1,
      ),
      percent(summary(({ emulator }) => emulator.clientBusy)),
      percent(summary(({ emulator }) => emulator.serverBusy)),
      rounded(
        summary(({ emulator, stub }) => emulator.perSecond / stub.perSecond),
        2,
      ),
      rounded(
        summary(({ emulator, unsynced }) => unsynced && emulator.perSecond / unsynced),
        2,
      ),
      rounded(
        summary(({ emulator, synced }) => synced && emulator.perSecond / synced),
        2,
      ),
    ]),
  );
  console.log(`\n${describeLimits(rows)}`);
  printTable(
    'Its floors, taken in turn with it: the SDK against an instant stub, and LMDB alone',
    [
      '',
      'at once',
      'stub per s',
      'p50 ms',
      'p99 ms',
      'client µs',
      'stub µs',
      'put per s',
      'synced put per s',
    ],
    rows.map(({ name, concurrency, summary }) => [
      name,
      String(concurrency),
      rounded(
        summary(({ stub }) => stub.perSecond),
        0,
      ),
      rounded(
        summary(({ stub }) => stub.p50),
        2,
      ),
      rounded(
        summary(({ stub }) => stub.p99),
        2,
      ),
      rounded(
        summary(({ stub }) => stub.clientCpu),
        0,
      ),
      rounded(
        summary(({ stub }) => stub.serverCpu),
        0,
      ),
      rounded(
        summary(({ unsynced }) => unsynced),
        0,
      ),
      rounded(
        summary(({ synced }) => synced),
        0,
      ),
    ]),
  );
}

/** A thread that was busy for so much of the time is what the rest waits for. */
const FULL = 0.8;

function describeLimits(rows: readonly RowSummary[]): string {
  const byConcurrency = Map.groupBy(rows, ({ concurrency }) => concurrency);
  const parts = [...byConcurrency].map(([concurrency, those]) => {
    const [most, ...others] = [...Map.groupBy(those, limitOf)].sort(
      ([, one], [, other]) => other.length - one.length,
    );
    const exceptions = others.map(
      ([limit, exceptional]) => `, but ${limit} in ${exceptional.map(({ name }) => name).join('; ')}`,
    );
    return `${concurrency} at once, ${most?.[0]}${exceptions.join('')}`;
  });
  return `What limits: ${parts.join('. ')}.`;
}

function limitOf({ summary }: RowSummary): string {
  const client = summary(({ emulator }) => emulator.clientBusy);
  const server = summary(({ emulator }) => emulator.serverBusy);
  if (Math.max(client, server) < FULL) return 'the round trip';
  return client > server ? "the client's thread" : "the emulator's thread";
}

function percent(share: number): string {
  return `${rounded(100 * share, 0)} %`;
}
