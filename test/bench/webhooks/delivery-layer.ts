import { systemRandom } from '../../../shared/platform/random.ts';
import { Sealer } from '../../../shared/platform/sealer.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Json, Records, type Scope } from '../../../shared/records/index.ts';
import {
  CursorStorage,
  Deliveries,
  DeliveryStorage,
  EndpointGate,
  EndpointStorage,
  FailingEndpoints,
  FanOut,
  OrderedDeliveries,
  type QueueMessage,
  RequestWriter,
  Subscriptions,
  type SubscriptionValue,
  type WebhookResult,
} from '../../../shared/webhooks/index.ts';
import { anyMaker } from '../../integration/any-maker.ts';
import type { MeteredDatabase } from '../product/metered-database.ts';
import { CountedBus } from './counted-bus.ts';
import { HastenedClock } from './hastened-clock.ts';

const NS = 'bench';
const author = { actor: 'bench' };
const EVERYTHING: SubscriptionValue['since'] = { at: new Date(0).toISOString() };
/** The default of `SKERRY_WEBHOOK_RETRY_SECONDS`. */
const RETRY_SECONDS = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/** The fan-out and deliveries of one process, over a database that counts and a bus that counts, without the network to endpoints. */
export class DeliveryLayer {
  readonly clock = new HastenedClock();
  readonly bus = new CountedBus(this.clock);
  /** How the endpoints answer. */
  answer: () => WebhookResult = () => ({ status: 204 });
  readonly #metered: MeteredDatabase;
  readonly #records: Records;
  readonly #fanOut: FanOut;
  readonly #deliveries: Deliveries;
  readonly #ordered: OrderedDeliveries;

  constructor(metered: MeteredDatabase) {
    this.#metered = metered;
    const { database } = metered;
    const { clock, bus: queue } = this;
    const common = { clock, random: systemRandom };
    const records = new Records({ container: database.container(COSMOS_CONTAINERS.records.id), ...common });
    const container = database.container(COSMOS_CONTAINERS.deliveries.id);
    const sealer = new Sealer([Buffer.alloc(32)]);
    const endpointPolicy = { allowPrivate: true, ports: [] };
    const subscriptions = new Subscriptions({ records, ...common, sealer, endpointPolicy });
    const timeoutMilliseconds = 15_000;
    const gate = new EndpointGate({
      storage: new EndpointStorage(container),
      failing: new FailingEndpoints({ records, subscriptions, ...common }),
      ...common,
      timeoutMilliseconds,
    });
    const options = {
      records,
      subscriptions,
      storage: new DeliveryStorage(container),
      queue,
      gate,
      post: async () => this.answer(),
      callerOf: anyMaker,
      requests: new RequestWriter({ sealer, publicUrl: undefined }),
      ...common,
      retrySeconds: RETRY_SECONDS,
      clockSkewMilliseconds: 0,
    };
    this.#records = records;
    this.#deliveries = new Deliveries(options);
    this.#ordered = new OrderedDeliveries({
      ...options,
      cursors: new CursorStorage(container),
      timeoutMilliseconds,
    });
    this.#fanOut = new FanOut({ ...options, ordered: this.#ordered, publications: [queue] });
  }

  async subscribe(id: string, key: string, kind: { readonly ordered?: true } = {}): Promise<void> {
    const value: SubscriptionValue = {
      name: id,
      key,
      endpoint: 'http://127.0.0.1/',
      format: 'standard',
      state: 'active',
      since: EVERYTHING,
      ...kind,
    };
    const scope = { ns: NS, kind: 'hook', name: '' };
    await this.#records.commit<SubscriptionValue>(scope, {
      key: `/hook/${id}`,
      ...author,
      decide: () => ({ type: 'put', value }),
    });
  }

  /** @returns the documents of the feed for so many writes of a key below a store. */
  async put(store: string, count: number): Promise<readonly object[]> {
    const scope: Scope = { ns: NS, kind: 'kv', name: store };
    const before = await this.#records.position(scope);
    for (let nth = 0; nth < count; nth += 1) {
      await this.#records.commit<Json>(scope, {
        key: `/kv/${store}/x/y`,
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

  /** The feed's trigger. */
  async fanOut(documents: readonly object[]): Promise<void> {
    await this.#fanOut.handle(documents, console);
  }

  /** The queue's trigger. */
  readonly deliver = async (message: QueueMessage): Promise<void> => {
    if (!('task' in message)) {
      await this.#deliveries.handle(message, console);
    } else if (message.task === 'wake') {
      await this.#ordered.wake(message, console);
    }
  };
}
