import { median, percentile, printTable, rounded } from '../statistics.ts';
import { latencyCells, ratio } from './bench-requests.ts';
import { KeySpace } from './key-space.ts';
import type { KeyValueServer, Watch } from './key-value-server.ts';
import type { Contenders } from './kv.ts';
import { type EventLatencies, measureEventLatencies, measureFanOut } from './watching.ts';

const WATCHERS_OF_ONE_KEY = 100;
const WATCHERS_OF_OWN_KEYS = 1_000;

interface Watching {
  readonly server: KeyValueServer;
  readonly watch: Watch;
  readonly name: string;
}

/** From a write to its events, and how many events a server hands out. */
export async function benchWatches(contenders: Contenders, quick: boolean): Promise<void> {
  const watchings = [contenders.skerry, contenders.etcd].flatMap((server) =>
    server === undefined
      ? []
      : Object.entries(server.watches).map(([name, watch]) => ({ server, watch, name })),
  );
  await benchLatencies(watchings, quick);
  await benchFanOut(watchings, quick);
}

async function benchLatencies(watchings: readonly Watching[], quick: boolean): Promise<void> {
  const keys = new KeySpace('small', { size: 1, valueBytes: 256 });
  const rounds = quick ? 1 : 3;
  const samples = quick ? 30 : 100;
  const taken = watchings.map((watching) => ({ watching, latencies: [] as EventLatencies[] }));
  for (let round = 0; round <= rounds; round += 1) {
    for (const { watching, latencies } of taken) {
      const entries = Array.from({ length: samples }, () => keys.anyEntry());
      const measured = await measureEventLatencies(watching.server, watching.watch, entries);
      if (round > 0) latencies.push(measured);
    }
  }
  const figuresOf = (latencies: readonly EventLatencies[], kind: keyof EventLatencies) => {
    const samplesOf = latencies.flatMap((each) => each[kind]);
    return { p50: percentile(samplesOf, 0.5), p99: percentile(samplesOf, 0.99) };
  };
  const etcd = taken.find(({ watching }) => watching.name === 'stream');
  printTable(
    `Write to event, ${rounds * samples} writes one after another`,
    ['', 'p50 ms', 'etcd', 'ratio', 'p99 ms', 'etcd', 'ratio'],
    taken
      .filter((each) => each !== etcd)
      .flatMap(({ watching, latencies }) =>
        (['fromAnswer', 'fromRequest'] as const).map((kind) => {
          const ofSkerry = figuresOf(latencies, kind);
          const ofEtcd = etcd && figuresOf(etcd.latencies, kind);
          return [
            `${watching.name}, from ${kind === 'fromAnswer' ? 'the answer to' : 'sending'} the write`,
            ...latencyCells(ofSkerry.p50, ofEtcd?.p50),
            ...latencyCells(ofSkerry.p99, ofEtcd?.p99),
          ];
        }),
      ),
  );
}

async function benchFanOut(watchings: readonly Watching[], quick: boolean): Promise<void> {
  const rounds = quick ? 1 : 3;
  const cases = [
    {
      name: `${WATCHERS_OF_ONE_KEY} watchers of one key`,
      watchers: WATCHERS_OF_ONE_KEY,
      keys: 1,
      writes: 300,
    },
    {
      name: `${WATCHERS_OF_OWN_KEYS} watchers of different keys`,
      watchers: WATCHERS_OF_OWN_KEYS,
      keys: WATCHERS_OF_OWN_KEYS,
      writes: 2_000,
    },
  ];
  const rows: string[][] = [];
  for (const { name, watchers, keys, writes } of cases) {
    const taken = watchings.map((watching) => ({ watching, rates: [] as number[] }));
    for (let round = 0; round < rounds; round += 1) {
      for (const { watching, rates } of taken) {
        // Each time other keys: a stream that is cut off may be held by its server for a while.
        const fresh = new KeySpace(`${keys}-${round}-${watching.name}`.replace(' ', '-'), {
          size: keys,
          valueBytes: 256,
        });
        const watched = Array.from({ length: watchers / keys }, () => fresh.allKeys()).flat();
        const entries = Array.from({ length: quick ? writes / 5 : writes }, () => fresh.anyEntry());
        rates.push(await measureFanOut(watching.server, watching.watch, watched, entries));
      }
    }
    const etcd = taken.find(({ watching }) => watching.name === 'stream');
    const ofEtcd = etcd && median(etcd.rates);
    for (const { watching, rates } of taken.filter((each) => each !== etcd)) {
      rows.push([
        `${watching.name}, ${name}`,
        rounded(median(rates), 0),
        rounded(ofEtcd ?? Number.NaN, 0),
        ratio(median(rates), ofEtcd),
      ]);
    }
  }
  printTable('Events a second, of writes by 16 clients', ['', 'Skerry/s', 'etcd/s', 'ratio'], rows);
}
