import type { QueueMessage } from '../../../shared/webhooks/index.ts';
import { type MeteredDatabase, startMeteredDatabase, type Usage } from '../product/metered-database.ts';
import { printTable, rounded } from '../statistics.ts';
import type { BusUsage } from './counted-bus.ts';
import { DeliveryLayer } from './delivery-layer.ts';

/**
 * Of a namespace of the Standard tier. A message that is sent, received or peeked at costs one, an operation of management ten, and
 * each filter that a message to a topic is held against one more (learn.microsoft.com/azure/service-bus-messaging/service-bus-throttling).
 */
const CREDITS_PER_SECOND = 1_000;

/** Deliveries at a time, where several are told of one batch. */
const MANY = 100;
const HOUR_MILLISECONDS = 3_600_000;

interface Case {
  readonly name: string;
  /** What its costs are shared by: deliveries, or changes where nobody hears. */
  readonly count: number;
  /** Makes ready what is not to be measured. */
  prepare(layer: DeliveryLayer): Promise<() => Promise<void>>;
}

const CASES: readonly Case[] = [
  {
    name: 'a change that nobody hears of',
    count: 1,
    prepare: (layer) => toldTo(layer, 'nobody', 1),
  },
  {
    name: `${MANY} of these in a batch, each`,
    count: MANY,
    prepare: (layer) => toldTo(layer, 'nobody', MANY),
  },
  {
    name: 'delivered at once',
    count: 1,
    prepare: (layer) => toldTo(layer, 'one', 1),
  },
  {
    name: `${MANY} changes in a batch, each`,
    count: MANY,
    prepare: (layer) => toldTo(layer, 'one', MANY),
  },
  {
    name: `a change to ${MANY} subscriptions, each`,
    count: MANY,
    prepare: (layer) => toldTo(layer, 'all', 1),
  },
  {
    name: 'delivered after one failure',
    count: 1,
    async prepare(layer) {
      failFirst(layer, 1);
      return await toldTo(layer, 'one', 1);
    },
  },
  {
    name: 'never delivered: ten failures, then dead',
    count: 1,
    async prepare(layer) {
      failFirst(layer, 10);
      return await toldTo(layer, 'lost', 1);
    },
  },
  {
    name: 'ordered',
    count: 1,
    prepare: (layer) => toldTo(layer, 'ordered', 1),
  },
  {
    name: `ordered, ${MANY} changes in a batch, each`,
    count: MANY,
    prepare: (layer) => toldTo(layer, 'ordered', MANY),
  },
  {
    name: 'ordered, after one failure',
    count: 1,
    async prepare(layer) {
      failFirst(layer, 1);
      return await toldTo(layer, 'ordered', 1);
    },
  },
  {
    name: `${MANY} that wait for an endpoint that is down for an hour, each`,
    count: MANY,
    async prepare(layer) {
      await openBreaker(layer, 'down');
      const upAt = layer.clock.now() + HOUR_MILLISECONDS;
      layer.answer = () => (layer.clock.now() < upAt ? FAILURE : SUCCESS);
      return await toldTo(layer, 'down', MANY);
    },
  },
  {
    name: 'one of them, put off for the first time',
    count: MANY,
    prepare: toldAtOpenBreaker,
  },
  {
    name: 'one of them, put off once more',
    count: MANY,
    async prepare(layer) {
      await (await toldAtOpenBreaker(layer))();
      const messages = takeWaiting(layer);
      return () => layer.bus.handOverOnce(messages, layer.deliver);
    },
  },
];

const SUCCESS = { status: 204 };
const FAILURE = { status: 500, error: 'The endpoint answered 500.' };

/** What deliveries cost at the bus and the database, from the fan-out of the change to the end, and what a namespace of the bus carries of them. */
export async function benchSpending(): Promise<void> {
  const metered = await startMeteredDatabase();
  const rows: string[][] = [];
  const layer = new DeliveryLayer(metered);
  for (const store of ['one', 'lost', 'down', 'wait']) await layer.subscribe(store, `/kv/${store}`);
  await layer.subscribe('ordered', '/kv/ordered', { ordered: true });
  for (let nth = 0; nth < MANY; nth += 1) await layer.subscribe(`all${nth}`, '/kv/all');
  for (const store of ['one', 'ordered', 'all']) await (await toldTo(layer, store, 1))();
  for (const each of CASES) {
    layer.answer = () => SUCCESS;
    const work = await each.prepare(layer);
    rows.push([each.name, ...describe(await measure(metered, layer, work), each.count)]);
    layer.bus.waiting = [];
  }
  printTable(
    `What a delivery costs, its share of the fan-out included, and what ${CREDITS_PER_SECOND} credits a second carry (one process; Strong reads are billed double in Azure)`,
    [
      '',
      'requests',
      'RU',
      'published',
      'sent',
      'received',
      'credits',
      'a second',
      'RU/s then',
      'with settling',
      'a second',
    ],
    rows,
  );
  await metered.stop();
}

async function measure(
  metered: MeteredDatabase,
  { bus }: DeliveryLayer,
  work: () => Promise<void>,
): Promise<Usage & BusUsage> {
  const before = bus.usage;
  const usage = await metered.measure(work);
  return {
    ...usage,
    published: bus.usage.published - before.published,
    sent: bus.usage.sent - before.sent,
    received: bus.usage.received - before.received,
    settled: bus.usage.settled - before.settled,
  };
}

function describe(usage: Usage & BusUsage, count: number): string[] {
  const each = (sum: number, digits = 2) => rounded(sum / count, digits);
  const credits = (usage.published + usage.sent + usage.received) / count;
  const withSettling = credits + usage.settled / count;
  return [
    each(usage.requests),
    each(usage.requestUnits, 1),
    each(usage.published),
    each(usage.sent),
    each(usage.received),
    rounded(credits, 2),
    rounded(CREDITS_PER_SECOND / credits, 0),
    rounded((usage.requestUnits / count) * (CREDITS_PER_SECOND / credits), 0),
    rounded(withSettling, 2),
    rounded(CREDITS_PER_SECOND / withSettling, 0),
  ];
}

/** Changes are made; what is returned tells all who hear of them. */
async function toldTo(layer: DeliveryLayer, store: string, count: number): Promise<() => Promise<void>> {
  const documents = await layer.put(store, count);
  return async () => {
    await layer.fanOut(documents);
    await layer.bus.handOver(layer.deliver);
  };
}

function failFirst(layer: DeliveryLayer, failures: number): void {
  let calls = 0;
  layer.answer = () => {
    calls += 1;
    return calls <= failures ? FAILURE : SUCCESS;
  };
}

async function openBreaker(layer: DeliveryLayer, store: string): Promise<void> {
  layer.answer = () => FAILURE;
  await layer.fanOut(await layer.put(store, 10));
  for (const message of takeWaiting(layer)) await layer.deliver(message);
  takeWaiting(layer);
}

/** Their messages were sent already; what is returned receives them. */
async function toldAtOpenBreaker(layer: DeliveryLayer): Promise<() => Promise<void>> {
  await openBreaker(layer, 'wait');
  await layer.fanOut(await layer.put('wait', MANY));
  const messages = takeWaiting(layer);
  return () => layer.bus.handOverOnce(messages, layer.deliver);
}

function takeWaiting({ bus }: DeliveryLayer): QueueMessage[] {
  const messages = bus.waiting.map(({ message }) => message);
  bus.waiting = [];
  return messages;
}
