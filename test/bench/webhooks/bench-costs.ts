import { mapConcurrently } from '../../../shared/platform/map-concurrently.ts';
import type { QueueMessage } from '../../../shared/webhooks/index.ts';
import { startMeteredDatabase } from '../product/metered-database.ts';
import { printTable, rounded } from '../statistics.ts';
import { DeliveryLayer } from './delivery-layer.ts';

/** What one change costs on its way: requests and request units of Cosmos DB, messages, and the computing of matching it. */
export async function benchCosts(): Promise<void> {
  const metered = await startMeteredDatabase();
  const layer = new DeliveryLayer(metered);
  const rows: string[][] = [];
  const measure = async (name: string, work: () => Promise<unknown>) => {
    layer.bus.waiting = [];
    const { requests, requestUnits } = await metered.measure(work);
    rows.push([name, String(requests), rounded(requestUnits), String(layer.bus.waiting.length)]);
  };
  const tell = async (store: string): Promise<QueueMessage> => {
    layer.bus.waiting = [];
    await layer.fanOut(await layer.put(store, 1));
    const [first] = layer.bus.waiting;
    if (first === undefined) throw new Error('Nothing was sent.');
    return first.message;
  };

  await layer.subscribe('one', '/kv/one');
  await layer.fanOut(await layer.put('one', 1));
  const single = await layer.put('one', 1);
  await measure('fan-out of a change that one hears of', () => layer.fanOut(single));
  const unheard = await layer.put('none', 1);
  await measure('fan-out of a change that nobody hears of', () => layer.fanOut(unheard));
  const many = await layer.put('one', 100);
  await measure('fan-out of 100 changes of one scope in a batch', () => layer.fanOut(many));
  await layer.deliver(await tell('one'));
  const here = await tell('one');
  await measure('delivery of it, where the fan-out runs in the same process', () => layer.deliver(here));
  const elsewhere = new DeliveryLayer(metered);
  await elsewhere.deliver(await tell('one'));
  const there = await tell('one');
  await measure('delivery of it elsewhere', () => elsewhere.deliver(there));
  layer.bus.waiting = [];
  await layer.fanOut(await layer.put('one', 100));
  const hundred = layer.bus.waiting.map(({ message }) => message);
  await measure('deliveries of 100 changes at a time elsewhere', () =>
    Promise.all(hundred.map(elsewhere.deliver)),
  );
  await subscribeMany(layer, 1_000, (nth) => [`s${nth}`, '/kv/all']);
  await layer.fanOut(await layer.put('all', 1));
  const wide = await layer.put('all', 1);
  await measure('fan-out of a change that 1,000 hear of', () => layer.fanOut(wide));
  printTable(
    'Cosmos DB and Service Bus, for one change on its way (Strong reads are billed double in Azure)',
    ['', 'requests', 'RU', 'messages to the queue'],
    rows,
  );

  await subscribeMany(layer, 9_000, (nth) => [
    `k${nth}`,
    nth % 2 === 0 ? `/kv/store${nth}` : `/kv/all/*/${nth}`,
  ]);
  const batch = await layer.put('other', 200);
  const wideBatch = await layer.put('all', 200);
  const matching: string[][] = [];
  const time = async (name: string, documents: readonly object[]) => {
    await layer.fanOut(documents);
    const sentBefore = layer.bus.usage.sent;
    const before = process.cpuUsage();
    await layer.fanOut(documents);
    const { user, system } = process.cpuUsage(before);
    matching.push([name, rounded((user + system) / 1000, 0), String(layer.bus.usage.sent - sentBefore)]);
  };
  await time('200 changes that none of them hears of', batch);
  await time('200 changes that 1,000 of them hear of', wideBatch);
  printTable(
    'Matching against 10,000 subscriptions, with reading the log and writing the messages',
    ['', 'CPU ms', 'messages'],
    matching,
  );
  await metered.stop();
}

async function subscribeMany(
  layer: DeliveryLayer,
  count: number,
  describe: (nth: number) => readonly [id: string, key: string],
): Promise<void> {
  const all = Array.from({ length: count }, (_, nth) => describe(nth));
  await mapConcurrently(all, 100, (each) => layer.subscribe(...each));
}
