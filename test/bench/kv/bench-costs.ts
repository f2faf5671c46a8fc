import { KeyValues } from '../../../shared/kv/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { Records } from '../../../shared/records/index.ts';
import { startMeteredDatabase } from '../product/metered-database.ts';
import { printTable, rounded } from '../statistics.ts';
import { GROUP, KeySpace } from './key-space.ts';
import type { Entry } from './key-value-server.ts';
import { TRANSACTION_PUTS } from './operations.ts';

const NS = 'default';
const STORE = 'bench';
const KEYS = 1_000;
const CONCURRENCIES = [1, 16];
/** Operations of each client. */
const REPETITIONS = 3;
const MAX_PUTS = 49;

/**
 * Cosmos DB requests and request units for each operation of one process, by clients side by side: for a store that is held
 * in memory, and for one that is too large.
 */
export async function benchCosts(): Promise<void> {
  const { database, measure, stop } = await startMeteredDatabase();
  const keys = new KeySpace('small', { size: KEYS, valueBytes: 256 });
  const author = { actor: 'bench' };
  const rows: string[][] = [];
  for (const isHeld of [true, false]) {
    const records = new Records({
      container: database.container(COSMOS_CONTAINERS.records.id),
      clock: systemClock,
      random: systemRandom,
      ...(!isHeld && { snapshotLimits: { records: 1, bytes: 1 } }),
    });
    const store = new KeyValues(records, systemClock);
    const putAll = async (entries: readonly Entry[]) => {
      const branch = entries.map(({ key, value }) => ({ put: { key, value: JSON.parse(value) } }));
      await store.transact(NS, STORE, { compare: [], branches: [branch, []] }, author);
    };
    for (let first = 0; first < KEYS; first += MAX_PUTS) {
      await putAll(keys.entries(first, Math.min(first + MAX_PUTS, KEYS)));
    }
    const list = () => store.list(NS, STORE, { prefix: keys.anyGroup() });
    await list();
    const operations: Record<string, () => Promise<unknown>> = {
      put: () => {
        const { key, value } = keys.anyEntry();
        return store.put(NS, STORE, key, { value: JSON.parse(value) }, { author });
      },
      get: () => store.get(NS, STORE, keys.anyKey()),
      [`list of ${GROUP}`]: list,
      [`txn of ${TRANSACTION_PUTS} puts`]: () => putAll(keys.anyEntries(TRANSACTION_PUTS)),
    };
    for (const [name, run] of Object.entries(operations)) {
      const cells: string[] = [];
      for (const concurrency of CONCURRENCIES) {
        const usage = await measure(() =>
          Promise.all(
            Array.from({ length: concurrency }, async () => {
              for (let repetition = 0; repetition < REPETITIONS; repetition += 1) await run();
            }),
          ),
        );
        const count = concurrency * REPETITIONS;
        cells.push(rounded(usage.requests / count, 2), rounded(usage.requestUnits / count, 2));
      }
      rows.push([`${name}${isHeld ? '' : ', store too large for memory'}`, ...cells]);
    }
  }
  await stop();
  printTable(
    'Cosmos DB requests and request units an operation, by clients at once of one process',
    ['', ...CONCURRENCIES.flatMap((concurrency) => [`${concurrency}: requests`, 'RU'])],
    rows,
  );
}
