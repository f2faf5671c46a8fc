import type { Registration, WatchHandlers } from '../registry/registration.ts';
import type { Content } from '../store/content.ts';
import { checkOwnPrefix } from '../store/key-prefix.ts';
import { backoff } from '../transport/backoff.ts';
import type { Transport } from '../transport/transport.ts';
import { Mirror } from './mirror.ts';
import { type Outcome, Subscriber } from './subscriber.ts';
import { type WatchOptions, watch } from './watch.ts';
import type { WatchedChange, WatchedItem } from './watch-answer.ts';

export interface WatcherOptions extends Omit<WatchOptions, 'position' | 'types'> {
  /** Milliseconds after which the others are not kept waiting for a handler any longer; 10,000 unless told. */
  readonly patience?: number | undefined;
}

/**
 * Follows the keys of a store under a prefix for any number of registrations, as cn-infra's datasync does: one watch, one view of what the
 * keys hold, from which each event is computed once and handed to the registrations in their order.
 *
 * A registration is told of everything, then of changes; the next event waits for its handler. A handler that fails, or that
 * takes too long, is told by a resync what it missed, again and again until it acknowledges one, while the others go on.
 */
export class Watcher<Value extends Content = Content> {
  readonly prefix: string;
  readonly #transport: Transport;
  readonly #root: string;
  readonly #options: WatcherOptions;
  readonly #patience: number;
  readonly #mirror: Mirror<Value>;
  readonly #subscribers = new Map<string, Subscriber<Value>>();
  /** Ends the watch that runs while there are registrations. */
  #feed: AbortController | undefined;
  #isLoaded = false;
  /** Everything that hands out events takes its turn. */
  #turn: Promise<void> = Promise.resolve();

  /** @throws TypeError for a prefix that ends within a segment. */
  constructor(transport: Transport, store: string, prefix: string, options: WatcherOptions) {
    checkOwnPrefix(prefix);
    this.prefix = prefix;
    this.#transport = transport;
    this.#root = `/kv/${store}/${prefix}`;
    this.#options = options;
    this.#patience = options.patience ?? 10_000;
    this.#mirror = new Mirror<Value>(this.#root);
    options.signal?.addEventListener('abort', () => this.close(), { once: true });
  }

  /**
   * Registers handlers for prefixes below the watcher's own. Do not wait for one registration in the handlers of another.
   *
   * @param resyncName of the registration.
   * @param prefixes by whole segments; the empty one means everything.
   * @throws Error when there is an open registration of this name.
   */
  watch(resyncName: string, prefixes: readonly string[], handlers: WatchHandlers<Value>): Registration {
    this.#options.signal?.throwIfAborted();
    if (this.#subscribers.has(resyncName)) {
      throw new Error(
        `There is a registration "${resyncName}" already. Close it first, or choose another name.`,
      );
    }
    const subscriber = new Subscriber<Value>(resyncName, prefixes, handlers, () => this.#catchUp(subscriber));
    this.#subscribers.set(resyncName, subscriber);
    subscriber.closed.addEventListener('abort', () => this.#remove(subscriber), { once: true });
    if (this.#feed === undefined) void this.#follow();
    else this.#catchUp(subscriber);
    return subscriber;
  }

  /** Closes all registrations. */
  close(): void {
    for (const subscriber of this.#subscribers.values()) subscriber.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async #follow(): Promise<void> {
    const feed = new AbortController();
    this.#feed = feed;
    try {
      const prefix = this.prefix === '' ? this.#root.slice(0, -1) : this.#root;
      const options = { ...this.#options, signal: feed.signal };
      for await (const event of watch<Value>(this.#transport, prefix, options)) {
        const hand =
          event.kind === 'resync' ? () => this.#resync(event.items) : () => this.#change(event.changes);
        await this.#inTurn(hand);
      }
    } catch (error) {
      if (feed.signal.aborted) return;
      for (const subscriber of this.#subscribers.values()) {
        subscriber.report(error);
        subscriber.end(error);
      }
    }
  }

  async #resync(items: readonly WatchedItem<Value>[]): Promise<void> {
    this.#mirror.reset(items);
    this.#isLoaded = true;
    for (const subscriber of this.#subscribers.values()) subscriber.isBehind = true;
    for (const subscriber of [...this.#subscribers.values()]) await this.#bringUpToDate(subscriber);
  }

  async #change(changes: readonly WatchedChange<Value>[]): Promise<void> {
    const events = this.#mirror.apply(changes);
    for (const subscriber of [...this.#subscribers.values()]) {
      const own = events.filter((event) => subscriber.concerns(event));
      if (own.length === 0 || subscriber.isBehind || subscriber.closed.aborted) continue;
      this.#settle(subscriber, await subscriber.change(own, this.#transport.timing, this.#patience));
    }
  }

  /** Hands a registration a resync, unless it needs none, or has a handler at work, after which it gets one. */
  async #bringUpToDate(subscriber: Subscriber<Value>): Promise<void> {
    const isReady = this.#isLoaded && subscriber.work === undefined && !subscriber.closed.aborted;
    if (!isReady || !subscriber.isBehind) return;
    subscriber.isBehind = false;
    const { entries } = this.#mirror;
    this.#settle(subscriber, await subscriber.resync(entries, this.#transport.timing, this.#patience));
  }

  #settle(subscriber: Subscriber<Value>, outcome: Outcome): void {
    if (outcome === 'acknowledged') subscriber.failures = 0;
    if (outcome === 'failed') {
      subscriber.failures += 1;
      subscriber.isBehind = true;
      const { random, wait } = this.#transport.timing;
      this.#catchUp(subscriber, wait(backoff(subscriber.failures, random()), subscriber.closed));
    }
    if (outcome === 'late') {
      subscriber.isBehind = true;
      this.#catchUp(subscriber, subscriber.work);
    }
  }

  /** Brings a registration up to date in its turn, after something has passed. */
  #catchUp(subscriber: Subscriber<Value>, after: Promise<unknown> = Promise.resolve()): void {
    void after.then(
      () => this.#inTurn(() => this.#bringUpToDate(subscriber)),
      () => {},
    );
  }

  async #inTurn(task: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => {});
    await turn;
  }

  #remove(subscriber: Subscriber<Value>): void {
    this.#subscribers.delete(subscriber.name);
    if (this.#subscribers.size > 0) return;
    this.#feed?.abort();
    this.#feed = undefined;
    this.#isLoaded = false;
    this.#mirror.reset([]);
  }
}
