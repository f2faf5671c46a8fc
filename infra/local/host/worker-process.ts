import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import path from 'node:path';
import { isEnvelope, type Outstanding, type WorkerNews, type WorkerOrder } from './worker-messages.ts';

const WORKER = path.join(import.meta.dirname, 'worker.ts');
/** How long a worker may take to load the app, in milliseconds, as in Azure. */
const LOAD_PATIENCE = 60_000;
/** A worker hangs when so many pings in a row got no answer; several, as the whole machine may have been asleep. */
const UNANSWERED_PINGS = 4;
/** Lets the failed invocation's answer, abandoned message or checkpoint out before the process ends. */
const TIMEOUT_GRACE = 500;

export interface WorkerProcessEvents {
  onNews(worker: WorkerProcess, news: WorkerNews): void;
  /** The app sent a message to whoever started the host. */
  onAppMessage(message: object): void;
  /** It ended; `untaken` is a connection that it was given and did not take any more. */
  onExit(worker: WorkerProcess, how: string, untaken: Socket | undefined): void;
}

/** One process that runs the app, as its supervisor sees it. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #pinging: NodeJS.Timeout;
  #unanswered = 0;
  #outstanding: Outstanding = { outstandingInvocations: 0, outstandingRetries: 0 };
  #waitingForPong: (() => void)[] = [];
  #isLoaded = false;
  #isRetired = false;
  #given: Socket | undefined;

  constructor(commandLine: readonly string[], events: WorkerProcessEvents) {
    this.#child = fork(WORKER, commandLine, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#pinging = this.#pingWithin(LOAD_PATIENCE);
    this.#child.on('message', (message: object) => {
      if (!isEnvelope<WorkerNews>(message)) return events.onAppMessage(message);
      this.#note(message.supervision);
      events.onNews(this, message.supervision);
    });
    this.#exited = new Promise((resolve) => {
      const end = (how: string) => {
        clearInterval(this.#pinging);
        resolve(undefined);
        events.onExit(this, how, this.#given);
      };
      this.#child.once('exit', (code, signal) =>
        end(signal === null ? `exit code ${code}` : `signal ${signal}`),
      );
      // A message that finds the worker gone is answered by its exit; but one that could not be made has none.
      this.#child.on('error', (error) => this.pid === undefined && end(error.message));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it runs the app and is not about to be killed. */
  get isServing(): boolean {
    return this.#isLoaded && !this.#isRetired;
  }

  /** Whether it is not to be replaced any more when it ends. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Whether it takes a connection now: one that hangs gets no second one. */
  get isFree(): boolean {
    return this.isServing && this.#given === undefined;
  }

  /** Hands a connection over, of which this process keeps a copy until the worker has it. */
  give(socket: Socket): void {
    this.#given = socket;
    this.tell({ type: 'connection' }, socket);
  }

  tell(order: WorkerOrder, socket?: Socket): void {
    this.relay({ supervision: order }, socket);
  }

  /** Passes a message on to the app. */
  relay(message: object, socket?: Socket): void {
    if (this.#child.connected) this.#child.send(message, socket, { keepOpen: true }, () => {});
  }

  /** What runs in it, as it says itself; nothing once it has ended. */
  async outstanding(): Promise<Outstanding> {
    const answered = new Promise<void>((resolve) => this.#waitingForPong.push(resolve));
    this.tell({ type: 'ping' });
    const hasEnded = this.#exited.then(() => 'ended');
    if ((await Promise.race([answered, hasEnded])) !== 'ended') return this.#outstanding;
    return { outstandingInvocations: 0, outstandingRetries: 0 };
  }

  /** Gives it no more work and kills it soon; another takes its place already. */
  retire(): void {
    this.#isRetired = true;
    setTimeout(() => this.kill(), TIMEOUT_GRACE);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #note(news: WorkerNews): void {
    if (news.type === 'loaded') {
      this.#isLoaded = true;
      clearInterval(this.#pinging);
      this.#pinging = this.#pingWithin(news.patience);
    } else if (news.type === 'accepted') {
      this.#given?.destroy();
      this.#given = undefined;
    } else if (news.type === 'pong') {
      this.#unanswered = 0;
      this.#outstanding = news;
      for (const wake of this.#waitingForPong.splice(0)) wake();
    }
  }

  /** Kills the worker when it has not answered for `patience` milliseconds. */
  #pingWithin(patience: number): NodeJS.Timeout {
    this.#unanswered = 0;
    return setInterval(() => {
      if (this.#unanswered === UNANSWERED_PINGS) {
        const state = this.#isLoaded ? 'has not answered' : 'has not loaded the app';
        console.error(`Worker ${this.pid} ${state} for ${patience / 1000} s: it is killed.`);
        this.kill();
      }
      this.#unanswered++;
      this.tell({ type: 'ping' });
    }, patience / UNANSWERED_PINGS);
  }
}
