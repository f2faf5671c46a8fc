import { percentile } from '../statistics.ts';
import type { ServerProcess } from './server-process.ts';
import { readUsage } from './usage.ts';

/** Calls that were made, and how long they took. */
export interface Work {
  /** Of what is counted: calls, or the items of calls that move many. */
  readonly operations: number;
  readonly seconds: number;
  /** Milliseconds, one for each call. */
  readonly latencies: readonly number[];
}

export interface Figures {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** CPU microseconds for each operation. */
  readonly clientCpu: number;
  readonly serverCpu: number;
  /** The share of the time, 0 to 1, that the main threads were busy. */
  readonly clientBusy: number;
  readonly serverBusy: number;
}

/** Something to do again and again. If it moves many items, it resolves with their number, and these are counted. */
export type Call = () => Promise<unknown>;

/** Has each of the callers call again and again, side by side, for as long as there is `more` to do. */
export async function repeat(callers: readonly Call[], more: () => boolean): Promise<Work> {
  const latencies: number[] = [];
  let operations = 0;
  const startedAt = performance.now();
  await Promise.all(
    callers.map(async (call) => {
      while (more()) {
        const calledAt = performance.now();
        const answer = await call();
        latencies.push(performance.now() - calledAt);
        operations += typeof answer === 'number' ? answer : 1;
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  return { operations, seconds, latencies };
}

export function duringSeconds(seconds: number): () => boolean {
  const end = performance.now() + 1000 * seconds;
  return () => performance.now() < end;
}

export function times(count: number): () => boolean {
  let left = count;
  return () => {
    left -= 1;
    return left >= 0;
  };
}

/** What work costs this process, the client, and the server that it talks to. */
export async function measure(server: ServerProcess, perform: () => Promise<Work>): Promise<Figures> {
  const serverBefore = await server.readUsage();
  const clientBefore = readUsage();
  const startedAt = performance.now();
  const { operations, seconds, latencies } = await perform();
  const milliseconds = performance.now() - startedAt;
  const client = readUsage();
  const serverAfter = await server.readUsage();
  return {
    perSecond: operations / seconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    clientCpu: (client.cpuMicroseconds - clientBefore.cpuMicroseconds) / operations,
    serverCpu: (serverAfter.cpuMicroseconds - serverBefore.cpuMicroseconds) / operations,
    clientBusy: (client.busyMilliseconds - clientBefore.busyMilliseconds) / milliseconds,
    serverBusy: (serverAfter.busyMilliseconds - serverBefore.busyMilliseconds) / milliseconds,
  };
}
