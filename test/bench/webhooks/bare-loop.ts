import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import path from 'node:path';
import type { HeardCall } from './endpoints.ts';

export interface BareWork {
  readonly urls: readonly string[];
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** POSTs at a time. */
  readonly concurrency: number;
}

export interface BareRound {
  readonly milliseconds: number;
  readonly cpuMicroseconds: number;
}

/** As many as host.json lets one process handle. */
const CONCURRENCY = 256;
/** What undici writes by itself. */
const OWN_HEADERS: ReadonlySet<string> = new Set(['connection', 'content-length', 'host']);

/** Sends what Skerry sends to the same endpoints, from a process of its own that does nothing else. */
export class BareLoop {
  readonly #child: ChildProcess = fork(path.join(import.meta.dirname, 'bare-poster.ts'), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });

  /** @param call of Skerry's, whose bytes are sent. */
  async post(urls: readonly string[], { headers, body }: HeardCall): Promise<BareRound> {
    const own = Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN_HEADERS.has(name)));
    const work: BareWork = { urls, headers: own, body, concurrency: CONCURRENCY };
    this.#child.send(work);
    const [round] = (await once(this.#child, 'message')) as [BareRound];
    return round;
  }

  stop(): void {
    this.#child.disconnect();
  }
}
