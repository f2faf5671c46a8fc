import type { Registration, ResyncContents, WatchHandlers } from '../registry/registration.ts';
import type { KeyValue } from '../store/broker.ts';
import type { Content } from '../store/content.ts';
import { covers } from '../store/key-prefix.ts';
import type { Timing } from '../transport/timing.ts';
import type { ChangeEvent } from './mirror.ts';

/** How a delivery went: acknowledged, refused by the handler, or without an answer for too long. */
export type Outcome = 'acknowledged' | 'failed' | 'late' | 'closed';

/** A registration as its watcher knows it. */
export class Subscriber<Value extends Content> implements Registration {
  readonly name: string;
  readonly ready: Promise<void>;
  /** Whether the next thing that it has to be told is a resync. */
  isBehind = true;
  /** How many deliveries in a row have failed. */
  failures = 0;
  /** The handler that is at work, if one is. */
  work: Promise<unknown> | undefined;
  readonly #handlers: WatchHandlers<Value>;
  readonly #prefixes: Set<string>;
  readonly #closing = new AbortController();
  readonly #onBehind: () => void;
  #settleReady: { readonly resolve: () => void; readonly reject: (error: unknown) => void };

  /** @param onBehind called when it needs a resync out of turn. */
  constructor(
    name: string,
    prefixes: readonly string[],
    handlers: WatchHandlers<Value>,
    onBehind: () => void,
  ) {
    this.name = name;
    this.#prefixes = new Set(prefixes);
    this.#handlers = handlers;
    this.#onBehind = onBehind;
    this.#settleReady = { resolve: () => {}, reject: () => {} };
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    // Whoever does not wait for it is told by `onError`.
    this.ready.catch(() => {});
  }

  get prefixes(): readonly string[] {
    return [...this.#prefixes];
  }

  /** Aborted once it is closed. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  addPrefix(prefix: string): void {
    if (this.#prefixes.has(prefix)) {
      throw new Error(`"${this.name}" follows the prefix "${prefix}" already.`);
    }
    this.#prefixes.add(prefix);
    this.isBehind = true;
    this.#onBehind();
  }

  removePrefix(prefix: string): boolean {
    return this.#prefixes.delete(prefix);
  }

  close(): void {
    this.end(new Error(`"${this.name}" was closed.`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Closes it, for a reason that its owner has not given. */
  end(reason: unknown): void {
    if (this.closed.aborted) return;
    this.#closing.abort(reason);
    this.#settleReady.reject(reason);
  }

  report(error: unknown): void {
    this.#handlers.onError?.(error);
  }

  concerns({ key }: ChangeEvent<Value>): boolean {
    return this.prefixes.some((prefix) => covers(prefix, key));
  }

  /** @param entries in the order of keys. */
  async resync(entries: readonly KeyValue<Value>[], timing: Timing, patience: number): Promise<Outcome> {
    const contents: ResyncContents<Value> = new Map(
      this.prefixes.map((prefix) => [prefix, entries.filter(({ key }) => covers(prefix, key))]),
    );
    const outcome = await this.#hand(() => this.#handlers.onResync(contents), timing, patience);
    if (outcome === 'acknowledged') this.#settleReady.resolve();
    return outcome;
  }

  async change(changes: readonly ChangeEvent<Value>[], timing: Timing, patience: number): Promise<Outcome> {
    return await this.#hand(() => this.#handlers.onChange(changes), timing, patience);
  }

  /** Calls a handler, and waits for its end no longer than patience lasts (milliseconds) and the registration is open. */
  async #hand(call: () => Promise<void> | void, timing: Timing, patience: number): Promise<Outcome> {
    const waiting = new AbortController();
    const giveUp = () => waiting.abort();
    this.closed.addEventListener('abort', giveUp);
    const work = runHandler(call).finally(() => {
      this.work = undefined;
    });
    this.work = work.catch(() => {});
    try {
      return await Promise.race([
        work.then(() => 'acknowledged' as const),
        timing.wait(patience, waiting.signal).then(
          () => this.#isLate(patience),
          () => 'closed' as const,
        ),
      ]);
    } catch (error) {
      this.report(error);
      return 'failed';
    } finally {
      this.closed.removeEventListener('abort', giveUp);
      giveUp();
    }
  }

  #isLate(patience: number): 'late' {
    this.report(new Error(`"${this.name}" has not acknowledged an event within ${patience} ms.`));
    return 'late';
  }
}

/** What a handler throws at once counts like what its promise rejects with. */
async function runHandler(call: () => Promise<void> | void): Promise<void> {
  await call();
}
