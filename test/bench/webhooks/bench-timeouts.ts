import { setTimeout as sleep } from 'node:timers/promises';
import { median, percentile, printTable, rounded } from '../statistics.ts';
import { Endpoints } from './endpoints.ts';
import { now, RunningProduct } from './running-product.ts';

const ENDPOINTS = 200;
/** 20 %. */
const SILENT = 40;
/** Instead of 15 s, so that the bench sees many of them. */
const TIMEOUT_SECONDS = 2;
const WARM_UP_CHANGES = 3;
/** After this no further round is begun. */
const MAX_MILLISECONDS = 60_000;

interface Round {
  /** To the endpoints that always answer, of a burst. */
  readonly deliveriesPerSecond: number;
  /** Milliseconds from the answer to the change until one of these has it, at a steady rate. */
  readonly delays: readonly number[];
  /** Calls of the other endpoints. */
  readonly otherCalls: number;
  /** Milliseconds of CPU of the functions for each delivery to the endpoints that always answer. */
  readonly cpu: number;
}

/** What endpoints that do not answer take from the others: the same changes to the same endpoints, with a fifth of them silent and with none. */
export async function benchTimeouts(quick: boolean): Promise<void> {
  const endpoints = await Endpoints.open(ENDPOINTS);
  const rounds = new Map<number, Round[]>([
    [0, []],
    [SILENT, []],
  ]);
  const giveUpAt = now() + MAX_MILLISECONDS;
  for (let round = 0; round < (quick ? 1 : 2) && now() < giveUpAt; round += 1) {
    for (const [silent, taken] of rounds) {
      endpoints.silent = silent;
      taken.push(await new Course(endpoints).run(quick));
    }
  }
  const rate = (silent: number) =>
    median((rounds.get(silent) ?? []).map(({ deliveriesPerSecond }) => deliveriesPerSecond));
  printTable(
    `Deliveries to ${ENDPOINTS - SILENT} endpoints that answer, while ${SILENT} others do or time out after ${TIMEOUT_SECONDS} s: ${rounds.get(0)?.length} rounds each`,
    [
      'the others',
      'deliveries/s, burst',
      '÷ none times out',
      'p50 ms, steady',
      'p99 ms',
      'max ms',
      'CPU ms/delivery',
      'calls of the others',
    ],
    [...rounds].map(([silent, taken]) => {
      const delays = taken.flatMap((round) => round.delays);
      return [
        silent === 0 ? 'answer' : 'time out',
        rounded(rate(silent), 0),
        rounded(rate(silent) / rate(0), 2),
        ...[0.5, 0.99, 1].map((share) => rounded(percentile(delays, share), 0)),
        rounded(median(taken.map(({ cpu }) => cpu)), 2),
        rounded(median(taken.map(({ otherCalls }) => otherCalls)), 0),
      ];
    }),
  );
  endpoints.close();
}

/** When endpoints heard of a change, in milliseconds since the Unix epoch. */
interface Told {
  readonly heardAt: number[];
  readonly byAll: PromiseWithResolvers<void>;
}

/** The product from its start: a burst, in which it finds out which endpoints are silent, then a steady rate. */
class Course {
  readonly #endpoints: Endpoints;
  readonly #told = new Map<number, Told>();
  #otherCalls = 0;

  constructor(endpoints: Endpoints) {
    this.#endpoints = endpoints;
    endpoints.onCall = ({ endpoint, at, body }) => {
      if (endpoint < SILENT) {
        this.#otherCalls += 1;
        return;
      }
      const { data } = JSON.parse(body) as { data: { revision: number } };
      const { heardAt, byAll } = this.#toldOf(data.revision);
      heardAt.push(at);
      if (heardAt.length === ENDPOINTS - SILENT) byAll.resolve();
    };
  }

  async run(quick: boolean): Promise<Round> {
    const env = { SKERRY_WEBHOOK_TIMEOUT_SECONDS: String(TIMEOUT_SECONDS) };
    const product = await RunningProduct.start({ env });
    await Promise.all(this.#endpoints.urls.map((url) => product.subscribe('/kv/bench', url)));
    for (let nth = 0; nth < WARM_UP_CHANGES; nth += 1) {
      await (await this.#change(product)).told.byAll.promise;
    }

    const before = product.cpu();
    const startedAt = now();
    const burst = await Promise.all(
      Array.from({ length: quick ? 5 : 15 }, async () => (await this.#change(product)).told),
    );
    await Promise.all(burst.map(({ byAll }) => byAll.promise));
    const deliveries = burst.length * (ENDPOINTS - SILENT);
    const deliveriesPerSecond = (1000 * deliveries) / (now() - startedAt);
    const cpu = (product.cpu().functions - before.functions) / 1000 / deliveries;

    const delays: number[] = [];
    const steady: Promise<void>[] = [];
    for (let nth = 0; nth < (quick ? 3 : 8); nth += 1) {
      const { told, answeredAt } = await this.#change(product);
      steady.push(
        told.byAll.promise.then(() => {
          delays.push(...told.heardAt.map((at) => at - answeredAt));
        }),
      );
      await sleep(1_000);
    }
    await Promise.all(steady);
    await product.stop();
    return { deliveriesPerSecond, delays, otherCalls: this.#otherCalls, cpu };
  }

  async #change(product: RunningProduct): Promise<{ told: Told; answeredAt: number }> {
    const { revision } = await product.ask('PUT', 'kv/bench/key', { at: now(), text: 'x'.repeat(200) });
    return { told: this.#toldOf(revision), answeredAt: now() };
  }

  #toldOf(revision: number): Told {
    const told = this.#told.get(revision) ?? { heardAt: [], byAll: Promise.withResolvers<void>() };
    this.#told.set(revision, told);
    return told;
  }
}
