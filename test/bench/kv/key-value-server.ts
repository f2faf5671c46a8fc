/** A key-value store with watches, as the bench asks it: Skerry or etcd. */
export interface KeyValueServer {
  readonly name: string;
  /** The most puts that one transaction takes. */
  readonly transactionLimit: number;
  /** How its events can be awaited, by name. */
  readonly watches: Readonly<Record<string, Watch>>;
  /** A client with so many connections, each of which has one request under way. */
  connect(connections: number): KeyValueClient;
  /** CPU time used so far in microseconds, by part of the server. */
  readCpu(): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

/** Every method fails unless the server answered what was to be expected. */
export interface KeyValueClient {
  put(entry: Entry): Promise<void>;
  get(key: string): Promise<string>;
  /** The values of the keys below `prefix`, which ends in a slash. */
  list(prefix: string): Promise<unknown[]>;
  putAll(entries: readonly Entry[]): Promise<void>;
  close(): Promise<void>;
}

/** `value` is a JSON document. */
export interface Entry {
  readonly key: string;
  readonly value: string;
}

/** Follows one key over a connection of its own; resolves once the next change will be noticed. */
export type Watch = (key: string, onEvents: (count: number) => void) => Promise<Watcher>;

export interface Watcher {
  /** Why it ended, unless it was stopped; settles once it has ended. */
  readonly ended: Promise<Error | undefined>;
  /** Returns once it has ended, which for a poll that is under way can take until the next change. */
  stop(): Promise<void>;
}
