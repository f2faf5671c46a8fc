import { printTable, rounded } from '../statistics.ts';
import { KeySpace } from './key-space.ts';
import type { Contenders } from './kv.ts';
import { operationsOn } from './operations.ts';
import { type Figures, type Load, loadInTurn } from './requests.ts';

const KEYS = 1_000;
const CONCURRENCIES = [1, 16, 64];

/** Rates, latencies and CPU of single requests, over a thousand keys of each size. */
export async function benchRequests(contenders: Contenders, quick: boolean): Promise<void> {
  const small = new KeySpace('small', { size: KEYS, valueBytes: 256 });
  const large = new KeySpace('large', { size: KEYS, valueBytes: 4096 });
  const servers = Object.values(contenders).filter((server) => server !== undefined);
  for (const server of servers) {
    await small.fill(server);
    await large.fill(server);
  }
  const ofSmall = operationsOn(small);
  const ofLarge = operationsOn(large);
  const operations = [
    ofSmall.put,
    { ...ofLarge.put, name: 'put, 4 KB' },
    ofSmall.get,
    { ...ofLarge.get, name: 'get, 4 KB' },
    ofSmall.list,
    ofSmall.txn,
  ];
  const loads = operations.flatMap((operation) =>
    CONCURRENCIES.map((concurrency) => ({ operation, concurrency })),
  );
  const figures = await loadInTurn(loads, servers, { rounds: quick ? 1 : 3, seconds: quick ? 0.4 : 0.8 });
  const rows = loads.map((load) => {
    const ofLoad = figures.get(load);
    const of = (contender: keyof Contenders) => {
      const server = contenders[contender];
      return server && ofLoad?.get(server);
    };
    return { load, skerry: of('skerry'), etcd: of('etcd'), unsyncedEtcd: of('unsyncedEtcd') };
  });
  printTable(
    `Requests: ${KEYS} keys of 256 bytes and ${KEYS} of 4 KB in one store, medians of the rounds`,
    [
      '',
      'clients',
      ...['Skerry/s', 'etcd/s', 'ratio', 'unsynced'],
      ...['p50 ms', 'etcd', 'ratio'],
      ...['p99 ms', 'etcd', 'ratio'],
    ],
    rows.map(({ load, skerry, etcd, unsyncedEtcd }) => [
      ...loadCells(load),
      rounded(skerry?.perSecond ?? Number.NaN, 0),
      rounded(etcd?.perSecond ?? Number.NaN, 0),
      ratio(skerry?.perSecond, etcd?.perSecond),
      load.operation.writes ? ratio(skerry?.perSecond, unsyncedEtcd?.perSecond) : '',
      ...latencyCells(skerry?.p50, etcd?.p50),
      ...latencyCells(skerry?.p99, etcd?.p99),
    ]),
  );
  printTable(
    'CPU of the servers, microseconds an operation',
    ['', 'clients', 'functions', 'emulators', 'Skerry', 'etcd', 'ratio'],
    rows.map(({ load, skerry, etcd }) => cpuRow(load, skerry, etcd)),
  );
}

function cpuRow(load: Load, skerry: Figures | undefined, etcd: Figures | undefined): string[] {
  const { functions = Number.NaN, emulators = Number.NaN } = skerry?.cpu ?? {};
  const ofEtcd = etcd?.cpu.etcd ?? Number.NaN;
  return [
    ...loadCells(load),
    ...[functions, emulators, functions + emulators, ofEtcd].map((value) => rounded(value, 0)),
    ratio(ofEtcd, functions + emulators),
  ];
}

function loadCells({ operation, concurrency }: Load): string[] {
  return [operation.name, String(concurrency)];
}

/** Less is better. */
export function latencyCells(skerry = Number.NaN, etcd = Number.NaN): string[] {
  return [rounded(skerry, 2), rounded(etcd, 2), ratio(etcd, skerry)];
}

/** None of a latency that is not above 0, as when an event overtakes the answer to its write. */
export function ratio(one = Number.NaN, other = Number.NaN): string {
  return one > 0 && other > 0 ? rounded(one / other, 2) : '-';
}
