import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CosmosClient } from '@azure/cosmos';
import { ServiceBusClient } from '@azure/service-bus';
import Long from 'long';
import { COSMOS_CONTAINERS, COSMOS_DATABASE, SERVICE_BUS_QUEUES } from '../../../shared/platform/topology.ts';
import { printTable, rounded } from '../statistics.ts';
import { Endpoints } from './endpoints.ts';
import { INSPECTED, InspectedWorker, type Memory } from './inspected-worker.ts';
import { now, RunningProduct } from './running-product.ts';

/** Nothing listens there. */
const DEAD_ENDPOINT = 'http://127.0.0.1:9';
const CHANGES = 100;
const WARM_UP_CHANGES = 200;
const MAX_SENDING_MILLISECONDS = 120_000;

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
  await note('none', await watchMemory(worker, sleep(5_000)));
  const startedAt = now();
  await putMany(product, 'dead', CHANGES);
  const whileSent = await watchMemory(worker, allSent(product, subscriptions * CHANGES));
  await note(
    `${subscriptions * CHANGES}, sent within ${rounded((now() - startedAt) / 1000, 0)} s`,
    whileSent,
  );
  const seconds = quick ? 5 : 20;
  await note(`${seconds} s later`, await watchMemory(worker, sleep(1000 * seconds)));
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

/** The most of each that was seen until then. */
async function watchMemory(worker: InspectedWorker, until: Promise<unknown>): Promise<Memory> {
  let most: Memory = { rss: 0, heapUsed: 0, external: 0 };
  let isOver = false;
  const over = until.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const { rss, heapUsed, external } = await worker.memory();
    most = {
      rss: Math.max(most.rss, rss),
      heapUsed: Math.max(most.heapUsed, heapUsed),
      external: Math.max(most.external, external),
    };
    await sleep(250);
  }
  await over;
  return most;
}

/** Waits until the queue has numbered so many messages, and one more for each delivery that waits for its endpoint. */
async function allSent(product: RunningProduct, messages: number): Promise<void> {
  const bus = new ServiceBusClient(product.skerry.connections.servicebus);
  const receiver = bus.createReceiver(SERVICE_BUS_QUEUES.deliveries.name);
  let isSent = false;
  for (const end = now() + MAX_SENDING_MILLISECONDS; !isSent && now() < end; await sleep(500)) {
    const number = WARM_UP_CHANGES + messages + (await countDocuments(product));
    const options = { fromSequenceNumber: Long.fromNumber(number) };
    isSent = (await receiver.peekMessages(1, options)).length > 0;
  }
  await bus.close();
  if (!isSent) throw new Error(`Less than ${messages} messages were sent in time.`);
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
