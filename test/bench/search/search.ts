import type { OperationInput } from '@azure/cosmos';
import { systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { toRecordDocument } from '../../../shared/records/documents.ts';
import { Records, type Scope } from '../../../shared/records/index.ts';
import { readAllRecords } from '../../../shared/records/log/all-records.ts';
import { SEARCHED_SCOPES, Search } from '../../../shared/search/index.ts';
import { SearchIndex } from '../../../shared/search/search-index.ts';
import { startMeteredDatabase } from '../product/metered-database.ts';
import { median, percentile, printTable, rounded } from '../statistics.ts';

const NS = 'bench';
const RECORDS = 10_000;
const IN_SCOPE = 100;
const QUESTIONS = ['part 77 of', 'r5', 'no such thing', 'network'];

/** Searching 10,000 records of 100 environments, beside reading all of them for each question. */
export async function benchSearch(quick: boolean): Promise<void> {
  const metered = await startMeteredDatabase();
  const container = metered.database.container(COSMOS_CONTAINERS.records.id);
  for (let start = 0; start < RECORDS; start += IN_SCOPE) {
    const scope: Scope = { ns: NS, kind: 'env', name: `e${start / IN_SCOPE}` };
    const operations = Array.from({ length: IN_SCOPE }, (_, index) => operationOf(scope, start + index));
    await container.items.batch(operations, `${NS}:env:${scope.name}`);
  }
  const options = { container, clock: systemClock, random: systemRandom };
  const records = new Records(options);
  const search = new Search({ ...options, records });
  const rounds = quick ? 5 : 50;

  const rows: string[][] = [];
  const measure = async (name: string, times: number, work: (text: string) => Promise<unknown>) => {
    const taken: number[] = [];
    const usage = await metered.measure(async () => {
      for (let round = 0; round < times; round += 1) {
        const startedAt = performance.now();
        await work(QUESTIONS[round % QUESTIONS.length] ?? '');
        taken.push(performance.now() - startedAt);
      }
    });
    const [requests, units] = [usage.requests / times, usage.requestUnits / times];
    rows.push([
      name,
      rounded(median(taken)),
      rounded(percentile(taken, 0.99)),
      rounded(requests),
      rounded(units),
    ]);
  };
  const collectGarbage = () => globalThis.gc?.();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  await measure('the first, which makes the index', 1, (text) => search.find(NS, { text, limit: 20 }));
  collectGarbage();
  const bytes = process.memoryUsage().heapUsed - before;
  await measure('a search', 4 * rounds, (text) => search.find(NS, { text, limit: 20 }));
  let number = 0;
  await measure('a search right after a write', 4 * rounds, async (text) => {
    const key = '/env/e0/resources/r0';
    number += 1;
    const value = { name: `written ${number}` };
    const decide = () => ({ type: 'put', value }) as const;
    await records.commit({ ns: NS, kind: 'env', name: 'e0' }, { key, actor: 'bench', decide });
    return await search.find(NS, { text, limit: 20 });
  });
  await measure('20 searches at a time', rounds, async (text) => {
    await Promise.all(Array.from({ length: 20 }, () => search.find(NS, { text, limit: 20 })));
  });
  await measure('a scan of all records', rounds / 5, async (text) => {
    const index = new SearchIndex(Number.POSITIVE_INFINITY);
    for await (const page of readAllRecords(container, NS, SEARCHED_SCOPES)) {
      for (const { scope, record } of page) index.put(scope, record);
    }
    return index.find({ text }, { now: Date.now(), count: 20 });
  });
  printTable(
    `Search in ${RECORDS} records (${rounded(bytes / RECORDS, 0)} bytes of memory each)`,
    ['', 'p50 ms', 'p99 ms', 'requests', 'RU'],
    rows,
  );
  await metered.stop();
}

function operationOf(scope: Scope, number: number): OperationInput {
  const change = {
    revision: number + 1,
    key: `/env/${scope.name}/resources/r${number}`,
    type: 'put' as const,
    value: {
      name: `Resource ${number}`,
      description: `Part ${number % 97} of the network of ${scope.name}`,
      tags: [{ name: 'team', value: `team${number % 7}` }],
      links: [`https://example.com/${scope.name}/${number}`],
      statusEndpoints: [`https://example.com/health/${number}`],
    },
    actor: 'bench',
    at: '2026-01-01T00:00:00.000Z',
    writeId: String(number),
  };
  return { operationType: 'Create', resourceBody: { ...toRecordDocument(scope, change) } as never };
}
