import { Agent, request } from 'undici';
import { type Skerry, type SkerryOptions, startSkerry } from '../../e2e/skerry.ts';
import { cpuMicroseconds, findChild } from '../product/processes.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

export interface ApiAnswer<Body> {
  /** Of the scope that was written. */
  readonly revision: number;
  readonly body: Body;
}

/** The product as `npm start` runs it, with a client for its API, and what its processes use. */
export class RunningProduct {
  readonly skerry: Skerry;
  /** Of the process that runs the functions, and nothing else. */
  readonly workerPid: number;
  readonly #hostPid: number;
  readonly #agent = new Agent({ connections: 64 });

  private constructor(skerry: Skerry) {
    this.skerry = skerry;
    this.#hostPid = findChild(skerry.pid, 'host/main.ts');
    this.workerPid = findChild(this.#hostPid, 'host/worker.ts');
  }

  static async start(options: SkerryOptions = {}): Promise<RunningProduct> {
    return new RunningProduct(await startSkerry({ traps: 'none', ...options }));
  }

  /** @throws Error with what was answered, unless it is a success. */
  async ask<Body>(method: 'GET' | 'POST' | 'PUT', path: string, given?: object): Promise<ApiAnswer<Body>> {
    const { statusCode, headers, body } = await request(`${this.skerry.url}/api/v1/${path}`, {
      method,
      headers: JSON_TYPE,
      body: given === undefined ? null : JSON.stringify(given),
      dispatcher: this.#agent,
    });
    const text = await body.text();
    if (statusCode >= 300) throw new Error(`${method} ${path} was answered ${statusCode}: ${text}`);
    return {
      revision: Number(headers['x-skerry-revision']),
      body: (text === '' ? undefined : JSON.parse(text)) as Body,
    };
  }

  /** @returns its id. */
  async subscribe(key: string, endpoint: string): Promise<string> {
    return (await this.ask<{ id: string }>('POST', 'subscriptions', { name: 'bench', key, endpoint })).body
      .id;
  }

  /** Microseconds that each process has used so far. */
  cpu(): Readonly<Record<'functions' | 'host' | 'emulators', number>> {
    return {
      functions: cpuMicroseconds(this.workerPid),
      host: cpuMicroseconds(this.#hostPid),
      emulators: cpuMicroseconds(this.skerry.pid),
    };
  }

  async stop(): Promise<void> {
    await this.#agent.close();
    await this.skerry.stop();
  }
}

/** Milliseconds since the Unix epoch, with fractions. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
