import type { Json } from '../store/content.ts';
import { startDeadline } from '../transport/deadline.ts';
import { Listeners } from '../transport/listeners.ts';
import { segment } from '../transport/path.ts';
import { isForeign, isPassing } from '../transport/problem.ts';
import type { Transport } from '../transport/transport.ts';
import { follow } from '../watch/follow.ts';
import type { WatchOptions } from '../watch/watch.ts';
import type { Application } from './apps.ts';
import { type ConfigSchema, InvalidConfig, readConfig } from './config-schema.ts';

/** Keeps configurations where they survive an outage of Skerry; `skerry/client/node` has one that keeps files. */
export interface LastGoodStore {
  /** @returns what was saved last under the name, or undefined. */
  load(name: string): Promise<string | undefined>;
  save(name: string, text: string): Promise<void>;
}

export interface ConfigOptions extends Omit<WatchOptions, 'position' | 'types'> {
  /** Whether secrets come in clear, for those who may see them; the last good configuration is then kept with them. */
  readonly secrets?: boolean | undefined;
  /** Where the last good configuration is kept, to start with when Skerry is out of reach. */
  readonly lastGood?: LastGoodStore | undefined;
  /** Milliseconds to wait for Skerry where there is a last good configuration; 5,000 unless told. */
  readonly startWithin?: number | undefined;
  /** Told of each new configuration that is not what the schema expects; the last good one stays. */
  readonly onInvalid?: ((error: InvalidConfig) => void) | undefined;
}

/** A configuration and where it is from. */
interface Stored {
  readonly config: Json;
  readonly revision: number;
}

/** The configuration of an application, checked, and always the newest good one. */
export class LiveConfig<Value> {
  readonly app: string;
  readonly #name: string;
  readonly #schema: ConfigSchema<Value>;
  readonly #transport: Transport;
  readonly #options: ConfigOptions;
  readonly #closing = new AbortController();
  readonly #listeners = new Listeners<Value>();
  #current: { readonly value: Value; readonly revision: number; readonly isStored: boolean } | undefined;
  /** The newest revision that Skerry gave out, good or not. */
  #seen: number | undefined;

  private constructor(
    app: string,
    ns: string,
    schema: ConfigSchema<Value>,
    transport: Transport,
    options: ConfigOptions,
  ) {
    this.app = app;
    this.#name = `${ns}/${app}`;
    this.#schema = schema;
    this.#transport = transport;
    this.#options = options;
    if (options.signal?.aborted) this.close();
    options.signal?.addEventListener('abort', () => this.close(), { signal: this.#closing.signal });
  }

  /**
   * @throws InvalidConfig when nothing good is known of it; SkerryProblem or SkerryUnreachable when Skerry does not give it out, and nothing
   *   is kept.
   */
  static async open<Value>(
    app: string,
    ns: string,
    schema: ConfigSchema<Value>,
    transport: Transport,
    options: ConfigOptions,
  ): Promise<LiveConfig<Value>> {
    const live = new LiveConfig(app, ns, schema, transport, options);
    await live.#begin();
    const watchOptions = { ...options, signal: live.#closing.signal };
    follow(transport, `/app/${app}`, () => live.#refresh(), watchOptions).catch((error) => {
      if (!live.#closing.signal.aborted) options.onFault?.(error);
    });
    return live;
  }

  get value(): Value {
    return this.#known.value;
  }

  /** Of the application, when it had this configuration. */
  get revision(): number {
    return this.#known.revision;
  }

  /** Whether this is what was kept, because Skerry has given out nothing good since the start. */
  get isStored(): boolean {
    return this.#known.isStored;
  }

  /**
   * Calls a listener with every new good configuration.
   *
   * @returns what ends it.
   */
  onChange(listener: (value: Value) => void): () => void {
    return this.#listeners.add(listener);
  }

  close(): void {
    this.#closing.abort(new Error(`The configuration of "${this.app}" was closed.`));
    this.#listeners.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  get #known() {
    if (this.#current === undefined) throw new Error(`The configuration of "${this.app}" is not known yet.`);
    return this.#current;
  }

  async #begin(): Promise<void> {
    const kept = await this.#loadLastGood();
    const patience = startDeadline(
      kept === undefined ? undefined : (this.#options.startWithin ?? 5000),
      this.#closing.signal,
    );
    try {
      await this.#accept(await this.#fetch(patience.signal), false);
    } catch (error) {
      this.#closing.signal.throwIfAborted();
      const mayFallBack = patience.isOver || isPassing(error) || error instanceof InvalidConfig;
      if (kept === undefined || !mayFallBack) throw error;
      this.#report(error);
      await this.#accept(kept, true);
    } finally {
      patience.end();
    }
  }

  async #refresh(): Promise<void> {
    try {
      const stored = await this.#fetch(this.#closing.signal);
      if (stored.revision !== this.#seen) await this.#accept(stored, false);
    } catch (error) {
      if (isPassing(error) || isForeign(error)) throw error;
      this.#closing.signal.throwIfAborted();
      this.#report(error);
    }
  }

  async #fetch(signal: AbortSignal): Promise<Stored> {
    const query = { secrets: this.#options.secrets === true ? true : undefined };
    return await this.#transport.json<Application>({ path: `apps/${segment(this.app)}`, query, signal });
  }

  async #accept({ config, revision }: Stored, isStored: boolean): Promise<void> {
    if (!isStored) this.#seen = revision;
    const value = await readConfig(this.app, this.#schema, config);
    const isNews = revision !== this.#current?.revision;
    this.#current = { value, revision, isStored };
    if (!isNews) return;
    if (!isStored) await this.#saveLastGood({ config, revision });
    this.#listeners.tell(value, (error) => this.#report(error));
  }

  async #loadLastGood(): Promise<Stored | undefined> {
    try {
      const text = await this.#options.lastGood?.load(this.#name);
      return text === undefined ? undefined : readStored(text);
    } catch (error) {
      this.#report(error);
      return undefined;
    }
  }

  async #saveLastGood(stored: Stored): Promise<void> {
    try {
      await this.#options.lastGood?.save(this.#name, JSON.stringify(stored));
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    if (error instanceof InvalidConfig) this.#options.onInvalid?.(error);
    else this.#options.onFault?.(error);
  }
}

/** @throws Error where it is not what was saved. */
function readStored(text: string): Stored {
  const stored: unknown = JSON.parse(text);
  const isStored =
    typeof stored === 'object' &&
    stored !== null &&
    'config' in stored &&
    'revision' in stored &&
    typeof stored.revision === 'number';
  if (!isStored) throw new Error('What is kept as the last good configuration is none.');
  return stored as Stored;
}
