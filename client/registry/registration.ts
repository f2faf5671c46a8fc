import type { KeyValue } from '../store/broker.ts';
import type { Content } from '../store/content.ts';
import type { ChangeEvent } from '../watch/mirror.ts';

/** Everything under each prefix of a registration, in the order of keys. */
export type ResyncContents<Value extends Content = Content> = ReadonlyMap<string, readonly KeyValue<Value>[]>;

/** Who is told, and acknowledges by returning, or by the promise that it returns. */
export interface WatchHandlers<Value extends Content = Content> {
  /** Everything as it is; what is not in it is gone. It comes first, and again whenever changes would not tell everything. */
  readonly onResync: (contents: ResyncContents<Value>) => Promise<void> | void;
  /** What happened since, in order; writes of one transaction come together. */
  readonly onChange: (changes: readonly ChangeEvent<Value>[]) => Promise<void> | void;
  /** Told when one of the other two failed or takes too long, and when the watch ended for good. */
  readonly onError?: (error: unknown) => void;
}

/** Prefixes of a watcher that are followed for somebody. */
export interface Registration extends AsyncDisposable {
  readonly name: string;
  readonly prefixes: readonly string[];
  /** Done when the first resync was acknowledged; fails when the registration ends before. */
  readonly ready: Promise<void>;
  /**
   * Follows a further prefix: a resync of all prefixes comes before further changes.
   *
   * @throws Error when it is followed already.
   */
  addPrefix(prefix: string): void;
  /** @returns whether it was followed. */
  removePrefix(prefix: string): boolean;
  /** Ends this registration and no other. What its handlers are doing comes to its end. */
  close(): void;
}
