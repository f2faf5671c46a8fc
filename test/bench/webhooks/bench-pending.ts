import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CosmosClient } from '@azure/cosmos';
import { COSMOS_CONTAINERS, COSMOS_DATABASE } from '../../../shared/platform/topology.ts';
import { printTable, rounded } from '../statistics.ts';
import { Endpoints } from './endpoints.ts';
import { INSPECTED, InspectedWorker, type Memory } from './inspected-worker.ts';
import { now, RunningProduct } from './running-product.ts';

/** Nothing listens there. */
const DEAD_ENDPOINT = 'http://127.0.0.1:9';
const CHANGES = 100;
const WARM_UP_CHANGES = 200;

/** What the process that runs the functions holds in memory while deliveries to dead endpoints wait, against none. */
export async function benchPending(quick: boolean): Promise<void> {
  const subscriptions = quick ? 50 : 1_000;
  const endpoints = await Endpoints.open(1);
  const product = await RunningProduct.start({ env: INSPECTED });
  const worker = await InspectedWorker.open(product);
  await product.subscribe('/kv/alive', endpoints.urls[0] ?? '');
  await Promise.all(
    Array.from({ length: subscriptions }, () => product.subscribe('/kv/dead', DEAD_ENDPOINT)),
  );
  await putMany(product, 'alive', WARM_UP_CHANGES);
  const rows: string[][] = [];
  const note = async (name: string, peak: Memory) => {
    await worker.collectGarbage();
    const settled = await worker.memory();
    rows.push([
      name,
      ...[peak.rss, peak.heapUsed, settled.heapUsed, settled.external, emulatorsRss(product)].map((bytes) =>
        rounded(bytes / 1e6, 0),
      ),
      String(await countDocuments(product)),
    ]);
  };
  await note('none', await watchMemory(worker, 5));
  await putMany(product, 'dead', CHANGES);
  for (const seconds of quick ? [5] : [20, 40]) {
    const peak = await watchMemory(worker, 20);
    await note(`${subscriptions * CHANGES}, ${seconds} s after the changes`, peak);
  }
  printTable(
    `Memory of the functions while deliveries to ${subscriptions} dead endpoints wait, MB`,
    ['pending', 'RSS, most', 'heap, most', 'heap, collected', 'external', 'RSS of the emulators', 'begun'],
    rows,
  );
  worker.close();
  await product.stop();
  endpoints.close();
}

async function putMany(product: RunningProduct, store: string, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, nth) => product.ask('PUT', `kv/${store}/key`, { nth, at: now() })),
  );
}

/** The most of each that was seen in so many seconds. */
async function watchMemory(worker: InspectedWorker, seconds: number): Promise<Memory> {
  let most: Memory = { rss: 0, heapUsed: 0, external: 0 };
  for (const end = now() + 1000 * seconds; now() < end; await sleep(250)) {
    const { rss, heapUsed, external } = await worker.memory();
    most = {
      rss: Math.max(most.rss, rss),
      heapUsed: Math.max(most.heapUsed, heapUsed),
      external: Math.max(most.external, external),
    };
  }
  return most;
}

/** They keep the queue and the database, and are not part of the product. */
function emulatorsRss({ skerry }: RunningProduct): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${skerry.pid}/status`, 'utf8')) ?? [];
  return 1024 * Number(kilobytes);
}

/** Deliveries that a message has come for; the others wait in the queue alone. */
async function countDocuments({ skerry }: RunningProduct): Promise<number> {
  const client = new CosmosClient(skerry.connections.cosmos);
  const { resources } = await client
    .database(COSMOS_DATABASE)
    .container(COSMOS_CONTAINERS.deliveries.id)
    .items.query<number>("SELECT VALUE COUNT(1) FROM c WHERE c.state = 'pending'")
    .fetchAll();
  client.dispose();
  return resources[0] ?? Number.NaN;
}
