import { type Dispatcher, Pool } from 'undici';

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Connections to one server that stay open; a call waits until one is free. */
export class Connections {
  readonly #pool: Pool;

  constructor(origin: string, connections: number) {
    this.#pool = new Pool(origin, { connections, bodyTimeout: 0, headersTimeout: 0 });
  }

  /** @throws Error unless the answer's status is one of the 200s. */
  async ask(call: Call, signal?: AbortSignal): Promise<string> {
    return await (await this.open(call, signal)).text();
  }

  /** The answer's body as it comes. */
  async open(call: Call, signal?: AbortSignal): Promise<Dispatcher.ResponseData['body']> {
    const { statusCode, body } = await this.#pool.request({
      method: call.method,
      path: call.path,
      headers: { ...call.headers },
      body: call.body ?? null,
      signal: signal ?? null,
    });
    if (statusCode >= 300) {
      throw new Error(`${call.method} ${call.path} was answered ${statusCode}: ${await body.text()}`);
    }
    return body;
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
