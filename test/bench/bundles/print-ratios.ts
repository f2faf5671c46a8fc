import { median, percentile, printTable, rounded } from '../statistics.ts';
import type { StorageUsage } from './counted-services.ts';
import type { Taken } from './in-turn.ts';

/**
 * Prints times, their ratio to each floor, and what the same operation asks of storage.
 *
 * @param floors names of those that everything is held against.
 */
export function printRatios(
  heading: string,
  times: ReadonlyMap<string, Taken>,
  costs: ReadonlyMap<string, StorageUsage>,
  floors: readonly string[],
): void {
  const medianOf = (name: string) => median(times.get(name)?.milliseconds ?? []);
  printTable(
    heading,
    ['', 'p50 ms', 'p99 ms', ...floors.map((floor) => `÷ ${floor}`), 'CPU ms', 'blob', 'Cosmos DB', 'RU'],
    [...times].map(([name, { milliseconds, cpuMilliseconds }]) => {
      const cost = costs.get(name);
      return [
        name,
        rounded(medianOf(name)),
        rounded(percentile(milliseconds, 0.99)),
        ...floors.map((floor) => rounded(medianOf(name) / medianOf(floor), 2)),
        rounded(cpuMilliseconds),
        ...(cost === undefined
          ? []
          : [String(cost.blobRequests), String(cost.cosmosRequests), rounded(cost.requestUnits)]),
      ];
    }),
  );
}
