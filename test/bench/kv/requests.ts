import { duringSeconds, repeat } from '../cloud/work.ts';
import { median, percentile } from '../statistics.ts';
import type { KeyValueServer } from './key-value-server.ts';
import type { Operation } from './operations.ts';

export interface Figures {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** CPU microseconds for each operation, by part of the server. */
  readonly cpu: Readonly<Record<string, number>>;
}

export interface Load {
  readonly operation: Operation;
  readonly concurrency: number;
}

/**
 * Puts every load on every server in turn, several rounds over after a short one to warm up, so that a busy moment of the
 * machine meets all alike.
 *
 * @returns the medians of the rounds: by load, then by server.
 */
export async function loadInTurn(
  loads: readonly Load[],
  servers: readonly KeyValueServer[],
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Map<Load, Map<KeyValueServer, Figures>>> {
  const taken = loads.map((load) => ({
    load,
    figures: servers.map((server) => ({ server, rounds: [] as Figures[] })),
  }));
  for (let round = 0; round <= rounds; round += 1) {
    for (const { load, figures } of taken) {
      for (const each of figures) {
        const measured = await measure(load, each.server, round === 0 ? seconds / 4 : seconds);
        if (round > 0) each.rounds.push(measured);
      }
    }
  }
  return new Map(
    taken.map(({ load, figures }) => [
      load,
      new Map(figures.map((each) => [each.server, medians(each.rounds)])),
    ]),
  );
}

async function measure(
  { operation, concurrency }: Load,
  server: KeyValueServer,
  seconds: number,
): Promise<Figures> {
  const client = server.connect(concurrency);
  const call = () => operation.run(client);
  // Opens the connections.
  await Promise.all(Array.from({ length: concurrency }, call));
  const before = server.readCpu();
  const work = await repeat(Array(concurrency).fill(call), duringSeconds(seconds));
  const after = server.readCpu();
  await client.close();
  return {
    perSecond: work.operations / work.seconds,
    p50: percentile(work.latencies, 0.5),
    p99: percentile(work.latencies, 0.99),
    cpu: Object.fromEntries(
      Object.entries(after).map(([part, used]) => [part, (used - (before[part] ?? 0)) / work.operations]),
    ),
  };
}

function medians(rounds: readonly Figures[]): Figures {
  const medianOf = (value: (figures: Figures) => number) => median(rounds.map(value));
  return {
    perSecond: medianOf((figures) => figures.perSecond),
    p50: medianOf((figures) => figures.p50),
    p99: medianOf((figures) => figures.p99),
    cpu: Object.fromEntries(
      Object.keys(rounds[0]?.cpu ?? {}).map((part) => [part, medianOf(({ cpu }) => cpu[part] ?? Number.NaN)]),
    ),
  };
}
