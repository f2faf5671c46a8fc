import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { Sealer } from '../../../shared/platform/sealer.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Json, Records, type Scope } from '../../../shared/records/index.ts';
import {
  createWebhookClient,
  Deliveries,
  type DeliveryMessage,
  type DeliveryQueue,
  DeliveryStorage,
  EndpointGate,
  EndpointStorage,
  FailingEndpoints,
  FanOut,
  type QueueMessage,
  RequestWriter,
  Subscriptions,
  type SubscriptionValue,
} from '../../../shared/webhooks/index.ts';
import { type MeteredDatabase, startMeteredDatabase } from '../product/metered-database.ts';
import { printTable, rounded } from '../statistics.ts';

const NS = 'bench';
const author = { actor: 'bench' };
const EVERYTHING: SubscriptionValue['since'] = { at: new Date(0).toISOString() };

/** What one change costs on its way: requests and request units of Cosmos DB, messages, and the computing of matching it. */
export async function benchCosts(): Promise<void> {
  const metered = await startMeteredDatabase();
  const endpoint = createServer((call, response) => {
    call.resume().once('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(endpoint, 'listening');
  const url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`;
  const world = new World(metered, url);
  const rows: string[][] = [];
  const measure = async (name: string, work: () => Promise<unknown>) => {
    world.sent = [];
    const { requests, requestUnits } = await metered.measure(work);
    rows.push([name, String(requests), rounded(requestUnits), String(world.sent.length)]);
  };

  await world.subscribe('one', '/kv/one');
  await world.handle(await world.put('/kv/one', 1));
  const single = await world.put('/kv/one', 1);
  await measure('fan-out of a change that one hears of', () => world.handle(single));
  const [message] = world.sent;
  const unheard = await world.put('/kv/none', 1);
  await measure('fan-out of a change that nobody hears of', () => world.handle(unheard));
  const many = await world.put('/kv/one', 100);
  await measure('fan-out of 100 changes of one scope in a batch', () => world.handle(many));
  await world.deliver(message);
  const here = await world.tell('/kv/one');
  await measure('delivery of it, where the fan-out runs in the same process', () => world.deliver(here));
  const elsewhere = new World(metered, url);
  await elsewhere.deliver(await world.tell('/kv/one'));
  const there = await world.tell('/kv/one');
  await measure('delivery of it elsewhere', () => elsewhere.deliver(there));
  world.sent = [];
  await world.handle(await world.put('/kv/one', 100));
  const { sent } = world;
  await measure('deliveries of 100 changes at a time elsewhere', () =>
    Promise.all(sent.map((message) => elsewhere.deliver(message))),
  );
  for (let nth = 0; nth < 1_000; nth += 1) {
    await world.subscribe(`s${nth}`, '/kv/all');
  }
  await world.handle(await world.put('/kv/all', 1));
  const wide = await world.put('/kv/all', 1);
  await measure('fan-out of a change that 1,000 hear of', () => world.handle(wide));
  printTable(
    'Cosmos DB and Service Bus, for one change on its way (Strong reads are billed double in Azure)',
    ['', 'requests', 'RU', 'messages to the queue'],
    rows,
  );

  for (let nth = 0; nth < 9_000; nth += 1) {
    await world.subscribe(`k${nth}`, nth % 2 === 0 ? `/kv/store${nth}` : `/kv/all/*/${nth}`);
  }
  const batch = await world.put('/kv/other', 200);
  const wideBatch = await world.put('/kv/all', 200);
  const matching: string[][] = [];
  const time = async (name: string, documents: readonly object[]) => {
    world.sent = [];
    await world.handle(documents);
    world.sent = [];
    const before = process.cpuUsage();
    await world.handle(documents);
    const { user, system } = process.cpuUsage(before);
    matching.push([name, rounded((user + system) / 1000, 0), String(world.sent.length)]);
  };
  await time('200 changes that none of them hears of', batch);
  await time('200 changes that 1,000 of them hear of', wideBatch);
  printTable(
    'Matching against 10,000 subscriptions, with reading the log and writing the messages',
    ['', 'CPU ms', 'messages'],
    matching,
  );
  endpoint.closeAllConnections();
  endpoint.close();
  await metered.stop();
}

/** The fan-out and deliveries of one process, without the bus. */
class World {
  sent: DeliveryMessage[] = [];
  readonly #metered: MeteredDatabase;
  readonly #records: Records;
  readonly #fanOut: FanOut;
  readonly #deliveries: Deliveries;
  readonly #endpoint: string;

  constructor(metered: MeteredDatabase, endpoint: string) {
    this.#metered = metered;
    this.#endpoint = endpoint;
    const { database } = metered;
    const common = { clock: systemClock, random: systemRandom };
    const records = new Records({ container: database.container(COSMOS_CONTAINERS.records.id), ...common });
    this.#records = records;
    const deliveriesContainer = database.container(COSMOS_CONTAINERS.deliveries.id);
    const storage = new DeliveryStorage(deliveriesContainer);
    const policy = { allowPrivate: true, ports: [] };
    const sealer = new Sealer([Buffer.alloc(32)]);
    const subscriptions = new Subscriptions({ records, ...common, sealer, endpointPolicy: policy });
    const clockSkewMilliseconds = 0;
    const queue: DeliveryQueue = {
      send: async <Message extends QueueMessage>(messages: readonly Message[]) => {
        for (const message of messages as readonly QueueMessage[]) {
          if (!('task' in message)) this.sent.push(message);
        }
        return [];
      },
      schedule: async () => {},
    };
    const publication = { publish: async () => [] };
    this.#fanOut = new FanOut({
      records,
      subscriptions,
      storage,
      queue,
      ordered: { prepare: async () => undefined },
      publication,
      ...common,
      clockSkewMilliseconds,
    });
    const timeoutMilliseconds = 10_000;
    this.#deliveries = new Deliveries({
      records,
      subscriptions,
      storage,
      queue,
      gate: new EndpointGate({
        storage: new EndpointStorage(deliveriesContainer),
        failing: new FailingEndpoints({ records, subscriptions, ...common }),
        ...common,
        timeoutMilliseconds,
      }),
      post: createWebhookClient({ policy, timeoutMilliseconds, ...common }).post,
      requests: new RequestWriter({ sealer, publicUrl: undefined }),
      ...common,
      retrySeconds: [1],
      clockSkewMilliseconds,
    });
  }

  async subscribe(id: string, key: string): Promise<void> {
    const value: SubscriptionValue = {
      name: id,
      key,
      endpoint: this.#endpoint,
      format: 'standard',
      state: 'active',
      since: EVERYTHING,
    };
    const scope = { ns: NS, kind: 'hook', name: '' };
    await this.#records.commit<SubscriptionValue>(scope, {
      key: `/hook/${id}`,
      ...author,
      decide: () => ({ type: 'put', value }),
    });
  }

  /** @returns the documents of the feed for these writes of a key below a store. */
  async put(store: string, count: number): Promise<readonly object[]> {
    const scope: Scope = { ns: NS, kind: 'kv', name: store.slice('/kv/'.length) };
    const before = await this.#records.position(scope);
    for (let nth = 0; nth < count; nth += 1) {
      await this.#records.commit<Json>(scope, {
        key: `${store}/x/y`,
        ...author,
        decide: () => ({ type: 'put', value: { at: Math.random(), text: 'x'.repeat(200) } }),
      });
    }
    const query = "SELECT * FROM c WHERE c.type = 'change' AND c.revision > @before";
    const { resources } = await this.#metered.database
      .container(COSMOS_CONTAINERS.records.id)
      .items.query<object>(
        { query, parameters: [{ name: '@before', value: before }] },
        { partitionKey: `${NS}:kv:${scope.name}` },
      )
      .fetchAll();
    return resources;
  }

  /** @returns the message of a change that one hears of. */
  async tell(store: string): Promise<DeliveryMessage | undefined> {
    await this.handle(await this.put(store, 1));
    return this.sent.at(-1);
  }

  async handle(documents: readonly object[]): Promise<void> {
    await this.#fanOut.handle(documents, console);
  }

  async deliver(message: DeliveryMessage | undefined): Promise<void> {
    if (message === undefined) throw new Error('Nothing was sent.');
    await this.#deliveries.handle(message);
  }
}
