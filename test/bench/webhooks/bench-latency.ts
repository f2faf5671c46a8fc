import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import { json } from 'node:stream/consumers';
import { ServiceBusClient } from '@azure/service-bus';
import { Agent, request } from 'undici';
import { SERVICE_BUS_TOPICS } from '../../../shared/platform/topology.ts';
import { percentile, printTable, rounded } from '../statistics.ts';
import { now, RunningProduct } from './running-product.ts';

const BUS_SUBSCRIPTION = 'bench';
const CHANGES_PER_SECOND = 200;
const WARM_UP_CHANGES = 30;

/** When one change passed each point of its way, in milliseconds since the Unix epoch. */
interface Passage {
  answered?: number;
  /** By the broker's clock, which counts whole milliseconds. */
  published?: number;
  /** The handler of its delivery called the endpoint; whole milliseconds too. */
  posted?: number;
  received?: number;
}

type Point = keyof Passage;

const WAYS: readonly (readonly [name: string, from: Point, to: Point])[] = [
  ['from the answer to the webhook', 'answered', 'received'],
  ['  feed and fan-out: answered, published', 'answered', 'published'],
  ['  queue and delivery: published, posted', 'published', 'posted'],
  ['  POST: posted, received', 'posted', 'received'],
];

interface Round {
  readonly name: string;
  readonly load: number;
  readonly passages: readonly Required<Passage>[];
  /** Of each process, in milliseconds a change. */
  readonly cpu: Readonly<Record<string, number>>;
}

/**
 * How long a change takes to the webhook over the running product, one change after another and under a steady load. The topic of the bus,
 * on which the fan-out publishes as it enqueues, tells when the change left it.
 */
export async function benchLatency(quick: boolean): Promise<void> {
  const product = await RunningProduct.start({ flags: ['--bus-subscription', BUS_SUBSCRIPTION] });
  const course = await Course.start(product);
  const rounds: Round[] = [];
  for (let round = 0; round < (quick ? 1 : 3); round += 1) {
    rounds.push(await course.run('one after another', (put) => inTurn(quick ? 50 : 300, put)));
    rounds.push(await course.run(`${CHANGES_PER_SECOND} a second`, (put) => steadily(quick ? 2 : 10, put)));
  }
  const floor = await course.floor(300);
  for (const name of new Set(rounds.map((round) => round.name))) {
    const own = rounds.filter((round) => round.name === name);
    const best = own.reduce((one, other) => (wholeWay(one, 0.5) <= wholeWay(other, 0.5) ? one : other));
    printTable(
      `Change to webhook, ${name}: ${best.passages.length} changes, the best of ${own.length} rounds (load of the machine ${rounded(best.load)}; p50 of all rounds ${own.map((round) => rounded(wholeWay(round, 0.5), 0)).join(', ')} ms)`,
      ['', 'p50 ms', 'p99 ms', 'max ms', 'p50 ÷ bare POST'],
      WAYS.map(([way, from, to]) => {
        const samples = best.passages.map((passage) => passage[to] - passage[from]);
        const shares = [0.5, 0.99, 1].map((share) => rounded(percentile(samples, share)));
        return [way, ...shares, rounded(percentile(samples, 0.5) / floor)];
      }),
    );
  }
  printTable(
    'CPU of a change and its one webhook, ms, least of all rounds',
    ['', ...Object.keys(rounds[0]?.cpu ?? {})],
    Object.entries(Object.groupBy(rounds, ({ name }) => name)).map(([name, own = []]) => [
      name,
      ...Object.keys(own[0]?.cpu ?? {}).map((program) =>
        rounded(Math.min(...own.map(({ cpu }) => cpu[program] ?? Number.NaN)), 2),
      ),
    ]),
  );
  await course.stop();
  await product.stop();
}

function wholeWay({ passages }: Round, share: number): number {
  return percentile(
    passages.map(({ answered, received }) => received - answered),
    share,
  );
}

/** Makes changes one at a time, each when the webhook of the one before has come. */
async function inTurn(count: number, put: () => Promise<{ readonly received: Promise<unknown> }>) {
  for (let made = 0; made < count; made += 1) {
    await (await put()).received;
  }
}

/** Makes so many changes a second, whether or not those before are answered. */
async function steadily(seconds: number, put: () => Promise<{ readonly received: Promise<unknown> }>) {
  const changes: Promise<{ readonly received: Promise<unknown> }>[] = [];
  const startedAt = now();
  while (changes.length < seconds * CHANGES_PER_SECOND) {
    const due = Math.floor(((now() - startedAt) * CHANGES_PER_SECOND) / 1000);
    while (changes.length < due) {
      changes.push(put());
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await Promise.all((await Promise.all(changes)).map(({ received }) => received));
}

/** A store, a webhook on it, and a subscription of the bus: what a change runs through. */
class Course {
  readonly #product: RunningProduct;
  readonly #agent = new Agent({ connections: 64 });
  readonly #bus: ServiceBusClient;
  readonly #passages = new Map<number, Passage>();
  readonly #arrivals = new Map<number, () => void>();
  readonly #server = createServer((call, response) => {
    void json(call).then((body) => {
      const revision = (body as { data?: { revision?: number } }).data?.revision;
      if (revision !== undefined) {
        this.#passage(revision).received = now();
        this.#arrivals.get(revision)?.();
      }
      response.end();
    });
  });
  #subscription = '';

  private constructor(product: RunningProduct) {
    this.#product = product;
    this.#bus = new ServiceBusClient(product.skerry.connections.servicebus);
  }

  static async start(product: RunningProduct): Promise<Course> {
    const course = new Course(product);
    course.#server.listen(0, '127.0.0.1');
    await once(course.#server, 'listening');
    course.#subscription = await product.subscribe('/kv/bench', course.#endpoint);
    course.#bus.createReceiver(SERVICE_BUS_TOPICS.notifications.name, BUS_SUBSCRIPTION).subscribe(
      {
        async processMessage({ applicationProperties, enqueuedTimeUtc }) {
          const revision = Number(applicationProperties?.revision);
          course.#passage(revision).published = enqueuedTimeUtc?.getTime() ?? Number.NaN;
        },
        async processError({ error }) {
          throw error;
        },
      },
      { maxConcurrentCalls: 32 },
    );
    await inTurn(WARM_UP_CHANGES, () => course.#put());
    return course;
  }

  async run(name: string, make: (put: Course['put']) => Promise<void>): Promise<Round> {
    this.#passages.clear();
    const before: Readonly<Record<string, number>> = this.#product.cpu();
    await make(this.put);
    const cpu = Object.fromEntries(
      Object.entries(this.#product.cpu()).map(([program, used]) => [
        program,
        (used - (before[program] ?? 0)) / 1000 / this.#passages.size,
      ]),
    );
    await this.#readAttempts();
    const passages = [...this.#passages.values()].filter((passage) => isWhole(passage));
    return { name, load: os.loadavg()[0] ?? Number.NaN, passages, cpu };
  }

  readonly put = () => this.#put();

  /** Median of POSTs of the same size to the same endpoint by the same client as Skerry's, in milliseconds. */
  async floor(count: number): Promise<number> {
    const body = JSON.stringify({ value: 'x'.repeat(500) });
    const samples: number[] = [];
    for (let made = 0; made < count; made += 1) {
      const startedAt = now();
      const answer = await request(this.#endpoint, { method: 'POST', body, dispatcher: this.#agent });
      await answer.body.dump();
      samples.push(now() - startedAt);
    }
    return percentile(samples, 0.5);
  }

  async stop(): Promise<void> {
    await this.#bus.close();
    await this.#agent.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #put(): Promise<{ readonly received: Promise<unknown> }> {
    const { revision } = await this.#product.ask('PUT', 'kv/bench/key', { at: now() });
    const passage = this.#passage(revision);
    passage.answered = now();
    if (passage.received !== undefined) {
      return { received: Promise.resolve() };
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#arrivals.set(revision, resolve);
    return { received: promise };
  }

  async #readAttempts(): Promise<void> {
    let after = '';
    do {
      const { body } = await this.#product.ask<{
        items: { revision: number; attempts: { at: string }[] }[];
        next?: string;
      }>('GET', `subscriptions/${this.#subscription}/deliveries?limit=500${after}`);
      for (const { revision, attempts } of body.items) {
        const passage = this.#passages.get(revision);
        if (passage !== undefined) passage.posted = Date.parse(attempts[0]?.at ?? '');
      }
      after = body.next === undefined ? '' : `&after=${encodeURIComponent(body.next)}`;
    } while (after !== '');
  }

  get #endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  #passage(revision: number): Passage {
    const passage = this.#passages.get(revision) ?? {};
    this.#passages.set(revision, passage);
    return passage;
  }
}

function isWhole(passage: Passage): passage is Required<Passage> {
  return WAYS.every(([, from, to]) => Number.isFinite(passage[from]) && Number.isFinite(passage[to]));
}
