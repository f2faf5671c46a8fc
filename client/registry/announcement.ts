import { backoff } from '../transport/backoff.ts';
import { startDeadline } from '../transport/deadline.ts';
import { isPassing } from '../transport/problem.ts';
import type { Timing } from '../transport/timing.ts';
import { uniqueId } from '../transport/unique-id.ts';
import type { InstanceInput, Services } from './services.ts';

/** Milliseconds that taking leave may take. */
const LEAVE = 5_000;

/** An instance of a service, as its own process announces it. */
export interface AnnouncedInstance extends InstanceInput {
  readonly service: string;
  /** Unique unless told. */
  readonly id?: string;
  /** Seconds after which it counts as gone when it sends no heartbeat; 15 unless told. */
  readonly ttl?: number;
}

export interface AnnounceOptions {
  /** Takes leave once it is aborted, as `close` does. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each fault that the announcement gets over by itself, and of one that ends it. */
  readonly onFault?: ((error: unknown) => void) | undefined;
}

/** Keeps an instance registered: heartbeats, registers again when it was forgotten, and goes on through outages. */
export class Announcement {
  readonly service: string;
  readonly id: string;
  /** Done when the instance is registered; fails when Skerry refuses it, or when it is closed before. */
  readonly ready: Promise<void>;
  readonly #instance: InstanceInput & { readonly ttl: number };
  readonly #services: Services;
  readonly #timing: Timing;
  readonly #onFault: (error: unknown) => void;
  readonly #closing = new AbortController();
  readonly #life: Promise<void>;
  #leaving: Promise<void> | undefined;

  constructor(
    { service, id = `${service}-${uniqueId()}`, ttl = 15, ...instance }: AnnouncedInstance,
    { signal, onFault = () => {} }: AnnounceOptions,
    services: Services,
    timing: Timing,
  ) {
    this.service = service;
    this.id = id;
    this.#instance = { ...instance, ttl };
    this.#services = services;
    this.#timing = timing;
    this.#onFault = onFault;
    this.ready = this.#register();
    this.ready.catch(() => {});
    this.#life = this.ready.then(() => this.#beat()).catch(() => {});
    const close = () => void this.close();
    if (signal?.aborted) close();
    signal?.addEventListener('abort', close, { signal: this.#closing.signal });
  }

  /** Takes leave: nobody is sent here any more. Never fails; what Skerry does not hear of expires. */
  async close(): Promise<void> {
    this.#leaving ??= this.#leave();
    await this.#leaving;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #leave(): Promise<void> {
    this.#closing.abort(new Error(`The announcement of "${this.id}" was closed.`));
    await this.#life;
    const patience = startDeadline(LEAVE, undefined);
    try {
      await this.#services.deregister(this.service, this.id, { signal: patience.signal });
    } catch (error) {
      this.#onFault(error);
    } finally {
      patience.end();
    }
  }

  /** Tries until Skerry takes the instance. */
  async #register(): Promise<void> {
    const isFinal = (error: unknown) => !isPassing(error);
    await this.#persist(isFinal, async (signal) => {
      await this.#services.register(this.service, this.id, this.#instance, { signal });
    });
  }

  async #beat(): Promise<void> {
    for (;;) {
      await this.#timing.wait(this.#interval * (0.9 + this.#timing.random() / 5), this.#closing.signal);
      // What was accepted once is not given up: somebody may be mending the token, or the way.
      const isFinal = () => false;
      await this.#persist(isFinal, async (signal) => {
        if (await this.#services.heartbeat(this.service, this.id, { signal })) return;
        await this.#services.register(this.service, this.id, this.#instance, { signal });
      });
    }
  }

  /** Does something until it succeeds; one attempt must not cost more than a heartbeat's share of the ttl. */
  async #persist(
    isFinal: (error: unknown) => boolean,
    attempt: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const closing = this.#closing.signal;
    for (let failures = 1; ; failures += 1) {
      const patience = startDeadline(Math.max(1000, this.#interval), closing);
      try {
        return await attempt(patience.signal);
      } catch (error) {
        closing.throwIfAborted();
        this.#onFault(error);
        if (!patience.isOver && isFinal(error)) throw error;
      } finally {
        patience.end();
      }
      const pause = Math.min(this.#interval, backoff(failures, this.#timing.random()));
      await this.#timing.wait(pause, closing);
    }
  }

  /** Milliseconds between heartbeats, so that two may be lost. */
  get #interval(): number {
    return (this.#instance.ttl * 1000) / 3;
  }
}
