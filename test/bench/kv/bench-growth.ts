import { printTable, rounded } from '../statistics.ts';
import { latencyCells } from './bench-requests.ts';
import { KeySpace } from './key-space.ts';
import type { Contenders } from './kv.ts';
import { operationsOn } from './operations.ts';
import { loadInTurn } from './requests.ts';

/** How what one client waits for an answer grows with the keys in the store. */
export async function benchGrowth({ skerry, etcd }: Contenders, quick: boolean): Promise<void> {
  const sizes = quick ? [100, 1_000] : [100, 1_000, 10_000, 100_000];
  const servers = [skerry, etcd].filter((server) => server !== undefined);
  const rows: string[][] = [];
  const filling: string[][] = [];
  let filled = 0;
  for (const size of sizes) {
    const keys = new KeySpace('growing', { size, valueBytes: 256 });
    for (const server of servers) {
      const startedAt = performance.now();
      await keys.fill(server, filled);
      const seconds = (performance.now() - startedAt) / 1000;
      filling.push([`${server.name}, to ${size} keys`, rounded((size - filled) / seconds, 0)]);
    }
    filled = size;
    const loads = Object.values(operationsOn(keys)).map((operation) => ({ operation, concurrency: 1 }));
    const figures = await loadInTurn(loads, servers, { rounds: quick ? 1 : 3, seconds: 0.4 });
    for (const load of loads) {
      const ofSkerry = figures.get(load)?.get(skerry);
      const ofEtcd = etcd && figures.get(load)?.get(etcd);
      rows.push([
        load.operation.name,
        String(size),
        ...latencyCells(ofSkerry?.p50, ofEtcd?.p50),
        ...latencyCells(ofSkerry?.p99, ofEtcd?.p99),
      ]);
    }
  }
  rows.sort(([one = ''], [other = '']) => one.localeCompare(other));
  printTable(
    'One client, by keys of 256 bytes in the store',
    ['', 'keys', 'p50 ms', 'etcd', 'ratio', 'p99 ms', 'etcd', 'ratio'],
    rows,
  );
  printTable('Filling the store by transactions', ['', 'keys/s'], filling);
}
