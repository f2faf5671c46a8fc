import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { RestartPauses } from './restart-pauses.ts';
import type { DrainStatus, WorkerNews } from './worker-messages.ts';
import { WorkerProcess } from './worker-process.ts';

/** How long a connection waits for a worker, in milliseconds; then it is told that there is none, as in Azure. */
const CONNECTION_PATIENCE = 30_000;
/** A worker drains for 10 s, then gives its appTerminate hooks 5 s. */
const STOP_PATIENCE = 15_500;

const NOT_RUNNING = 'Function host is not running.';
const REFUSAL = `HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: ${NOT_RUNNING.length}\r\nconnection: close\r\n\r\n${NOT_RUNNING}`;

export interface SupervisorOptions {
  readonly workers: number;
  /** What each worker is started with. */
  readonly commandLine: readonly string[];
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
}

/**
 * Keeps workers running, each a process with the whole app, and hands them the connections in turn. It reads no request
 * and runs no code of the app, so that it outlives whatever a worker does. One elected worker runs the listeners.
 *
 * Not node:cluster: that gives the port up while the only worker is being replaced, where Azure lets requests wait; and
 * it would share between workers, without a word, the ports that an app itself listens on.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #front = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    // What goes wrong while it waits is noticed by the worker that gets it.
    socket.on('error', () => {});
    this.#receive(socket);
  });
  /** In the order in which they get connections. */
  readonly #workers = new Set<WorkerProcess>();
  readonly #waiting = new Map<Socket, NodeJS.Timeout>();
  readonly #pauses = new RestartPauses();
  readonly #stopping = new AbortController();
  readonly #started = Promise.withResolvers<void>();
  readonly #stopped = Promise.withResolvers<void>();
  #elected: WorkerProcess | undefined;
  #isListening = false;
  #isStarted = false;
  #isDraining = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /**
   * Resolves with the base URL once all workers answer.
   *
   * @throws Error that says why the port cannot be had, or why the app cannot start.
   */
  async start(): Promise<string> {
    const { host, port, workers } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#front.on('error', reject).listen(port, host, resolve);
    });
    for (let count = 0; count < workers; count++) this.#startWorker();
    await this.#started.promise;
    const address = this.#front.address() as AddressInfo;
    return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  }

  /** Takes no new work, and resolves once each worker has drained and ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#front.close();
    for (const [socket, patience] of this.#waiting) {
      clearTimeout(patience);
      socket.destroy();
    }
    this.#waiting.clear();
    for (const worker of this.#workers) worker.tell({ type: 'stop' });
    const patience = setTimeout(() => this.kill(), STOP_PATIENCE);
    if (this.#workers.size > 0) await this.#stopped.promise;
    clearTimeout(patience);
  }

  /** Ends all workers at once. */
  kill(): void {
    for (const worker of this.#workers) worker.kill();
  }

  /** Passes a message on to the app. */
  relay(message: object): void {
    for (const worker of this.#workers) worker.relay(message);
  }

  #startWorker(): void {
    const worker = new WorkerProcess(this.#options.commandLine, {
      onNews: (teller, news) => this.#hear(teller, news),
      onAppMessage: (message) => process.send?.(message),
      onExit: (ended, how, untaken) => {
        if (untaken !== undefined) this.#receive(untaken);
        this.#replace(ended, how);
      },
    });
    this.#workers.add(worker);
  }

  #hear(worker: WorkerProcess, news: WorkerNews): void {
    switch (news.type) {
      case 'loaded':
        this.#elect();
        this.#finishStart();
        if (this.#isDraining) worker.tell({ type: 'drain' });
        break;
      case 'listening':
        this.#isListening = true;
        this.#finishStart();
        break;
      case 'failed':
        if (this.#isStarted) process.stderr.write(`A worker cannot start. ${news.message}\n`);
        else this.#started.reject(new Error(news.message));
        break;
      case 'timed out':
        if (worker.isRetired) break;
        worker.retire();
        this.#startWorker();
        break;
      case 'ask drain status':
        this.#isDraining ||= news.begin;
        if (news.begin) for (const each of this.#workers) each.tell({ type: 'drain' });
        void this.#drainStatus().then((status) => worker.tell({ type: 'drain status', status }));
        break;
    }
    this.#distribute();
  }

  /** Has one worker start the listeners, unless one that does still lives: never are there two. */
  #elect(): void {
    if (this.#elected !== undefined || this.#isDraining) return;
    this.#elected = [...this.#workers].find(({ isServing }) => isServing);
    this.#elected?.tell({ type: 'listen', first: !this.#isStarted });
  }

  #finishStart(): void {
    if (this.#isStarted || !this.#isListening) return;
    if (![...this.#workers].every(({ isServing }) => isServing)) return;
    this.#isStarted = true;
    this.#started.resolve();
  }

  #replace(worker: WorkerProcess, how: string): void {
    this.#workers.delete(worker);
    if (this.#stopping.signal.aborted) {
      if (this.#workers.size === 0) this.#stopped.resolve();
      return;
    }
    if (worker === this.#elected) {
      this.#elected = undefined;
      this.#elect();
    }
    if (worker.isRetired) return;
    if (!this.#isStarted)
      this.#started.reject(new Error(`The app did not start: its worker ended (${how}).`));
    else void this.#restart(`Worker ${worker.pid} ended (${how})`);
  }

  async #restart(reason: string): Promise<void> {
    const pause = this.#pauses.next();
    console.error(`${reason}; another is started${pause > 0 ? ` in ${pause} s` : ''}.`);
    const { signal } = this.#stopping;
    await sleep(pause * 1000, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) this.#startWorker();
  }

  #receive(socket: Socket): void {
    const turnAway = () => {
      this.#waiting.delete(socket);
      socket.end(REFUSAL);
    };
    this.#waiting.set(socket, setTimeout(turnAway, CONNECTION_PATIENCE));
    this.#distribute();
  }

  #distribute(): void {
    if (!this.#isStarted) return;
    for (const worker of this.#workers) {
      const [waiting] = this.#waiting;
      if (waiting === undefined) return;
      if (!worker.isFree) continue;
      const [socket, patience] = waiting;
      clearTimeout(patience);
      this.#waiting.delete(socket);
      // To the end of the order.
      this.#workers.delete(worker);
      this.#workers.add(worker);
      worker.give(socket);
    }
  }

  async #drainStatus(): Promise<DrainStatus> {
    const all = await Promise.all([...this.#workers].map((worker) => worker.outstanding()));
    const outstandingInvocations = all.reduce((sum, each) => sum + each.outstandingInvocations, 0);
    const outstandingRetries = all.reduce((sum, each) => sum + each.outstandingRetries, 0);
    const isBusy = outstandingInvocations + outstandingRetries > 0;
    const state = !this.#isDraining ? 'Disabled' : isBusy ? 'InProgress' : 'Completed';
    return { state, outstandingInvocations, outstandingRetries };
  }
}
