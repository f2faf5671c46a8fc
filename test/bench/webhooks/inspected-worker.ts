import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningProduct } from './running-product.ts';

/** Bytes, of one process. */
export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
}

/** Has the process that runs the functions open its inspector wherever a port is free; an environment for `RunningProduct.start`. */
export const INSPECTED = { NODE_OPTIONS: '--inspect-port=0' };

const OPENING_MILLISECONDS = 10_000;

/** Asks the process that runs the functions what no other process can see: through its inspector, which a signal opens. */
export class InspectedWorker {
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (result: unknown) => void>();
  #asked = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const { id, result } = JSON.parse(String(data)) as { id: number; result: unknown };
      this.#answers.get(id)?.(result);
      this.#answers.delete(id);
    });
  }

  /** @throws Error when it does not open within 10 s. */
  static async open({ skerry, workerPid }: RunningProduct): Promise<InspectedWorker> {
    process.kill(workerPid, 'SIGUSR1');
    for (let waited = 0; waited < OPENING_MILLISECONDS; waited += 50) {
      const url = /Debugger listening on (\S+)/.exec(skerry.output())?.[1];
      if (url !== undefined) {
        const socket = new WebSocket(url);
        await once(socket, 'open');
        return new InspectedWorker(socket);
      }
      await sleep(50);
    }
    throw new Error(`The inspector did not open:\n${skerry.output()}`);
  }

  async memory(): Promise<Memory> {
    const expression = 'JSON.stringify(process.memoryUsage())';
    const { result } = await this.#ask<{ result: { value: string } }>('Runtime.evaluate', { expression });
    return JSON.parse(result.value) as Memory;
  }

  async collectGarbage(): Promise<void> {
    await this.#ask('HeapProfiler.collectGarbage');
  }

  close(): void {
    this.#socket.close();
  }

  async #ask<Result>(method: string, params: object = {}): Promise<Result> {
    this.#asked += 1;
    const id = this.#asked;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#answers.set(id, resolve);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return (await promise) as Result;
  }
}
