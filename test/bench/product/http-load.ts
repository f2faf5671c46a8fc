import { Pool } from 'undici';
import { median, percentile } from '../statistics.ts';
import { cpuMicroseconds } from './processes.ts';

/** Something to be asked for again and again. */
export interface Scenario {
  readonly name: string;
  readonly url: string;
  readonly method?: 'GET' | 'PUT';
  readonly headers?: Readonly<Record<string, string>>;
  /** The body of the n-th request, where each is different. */
  readonly body?: (count: number) => string;
  readonly expectedStatus: number;
  /** The process that answers, whose CPU time is taken. */
  readonly pid: number;
}

export interface Figures {
  readonly requestsPerSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly cpuMicrosecondsPerRequest: number;
}

/**
 * Takes all scenarios in turn, several rounds over, so that a busy moment of the machine meets each alike.
 *
 * @returns the medians of the rounds, by the scenario's name.
 */
export async function loadInTurn(
  scenarios: readonly Scenario[],
  { rounds, seconds, connections }: { rounds: number; seconds: number; connections: number },
): Promise<Map<string, Figures>> {
  const taken = new Map<string, Figures[]>(scenarios.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const scenario of scenarios) {
      const figures = await load(scenario, round === 0 ? 1 : seconds, connections);
      if (round > 0) {
        taken.get(scenario.name)?.push(figures);
      }
    }
  }
  return new Map([...taken].map(([name, figures]) => [name, medians(figures)]));
}

/** Keeps `connections` requests under way for some seconds; each connection asks again as soon as it is answered. */
async function load(scenario: Scenario, seconds: number, connections: number): Promise<Figures> {
  const { origin, pathname, search } = new URL(scenario.url);
  const pool = new Pool(origin, { connections });
  const latencies: number[] = [];
  let count = Math.floor(Math.random() * 1e9);
  const cpuBefore = cpuMicroseconds(scenario.pid);
  const startedAt = performance.now();
  const ask = async () => {
    while (performance.now() - startedAt < 1000 * seconds) {
      count += 1;
      const askedAt = performance.now();
      const { statusCode, body } = await pool.request({
        path: pathname + search,
        method: scenario.method ?? 'GET',
        headers: { ...scenario.headers },
        body: scenario.body?.(count) ?? null,
      });
      const text = await body.text();
      latencies.push(performance.now() - askedAt);
      if (statusCode !== scenario.expectedStatus) {
        throw new Error(`${scenario.name} was answered ${statusCode}: ${text}`);
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, ask));
  const elapsedSeconds = (performance.now() - startedAt) / 1000;
  await pool.close();
  return {
    requestsPerSecond: latencies.length / elapsedSeconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    cpuMicrosecondsPerRequest: (cpuMicroseconds(scenario.pid) - cpuBefore) / latencies.length,
  };
}

function medians(figures: readonly Figures[]): Figures {
  return {
    requestsPerSecond: median(figures.map((each) => each.requestsPerSecond)),
    p50: median(figures.map((each) => each.p50)),
    p99: median(figures.map((each) => each.p99)),
    cpuMicrosecondsPerRequest: median(figures.map((each) => each.cpuMicrosecondsPerRequest)),
  };
}
