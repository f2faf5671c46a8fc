import type { KeyValue } from '../store/broker.ts';
import type { Content } from '../store/content.ts';
import type { WatchedChange, WatchedItem } from './watch-answer.ts';

/** What happened to a key below a watcher's prefix. */
export interface ChangeEvent<Value extends Content = Content> {
  readonly key: string;
  /** `Put` creates or replaces; `Delete` also stands for a key whose time was over. */
  readonly type: 'Put' | 'Delete';
  /** Null after a delete. */
  readonly value: Value | null;
  /** What this watcher knew the key to hold before; null where it knew nothing. */
  readonly previous: Value | null;
  readonly revision: number;
}

/**
 * What a watcher knows of its keys, which is all that it has been told since the last resync. Previous values come from here, so that
 * everybody who is told of a change is told the same.
 */
export class Mirror<Value extends Content = Content> {
  readonly #prefix: string;
  #entries = new Map<string, KeyValue<Value>>();

  /** @param prefix of the whole keys, which is taken off. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** In the order of keys. */
  get entries(): readonly KeyValue<Value>[] {
    return [...this.#entries.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
  }

  /** Forgets everything for what a resync holds. */
  reset(items: readonly Pick<WatchedItem<Value>, 'key' | 'value' | 'revision'>[]): void {
    const entries = items.map(({ key, value, revision }) => ({ key: this.#strip(key), value, revision }));
    this.#entries = new Map(entries.map((entry) => [entry.key, entry]));
  }

  /** What the changes mean to whoever knew the mirror; the delete of an unknown key means nothing. */
  apply(
    changes: readonly Pick<WatchedChange<Value>, 'key' | 'type' | 'value' | 'revision'>[],
  ): ChangeEvent<Value>[] {
    return changes.flatMap((change): ChangeEvent<Value>[] => {
      const key = this.#strip(change.key);
      const { value, revision } = change;
      const known = this.#entries.get(key);
      if (change.type === 'put') {
        // JSON's null is a value like any other.
        this.#entries.set(key, { key, value: value as Value, revision });
        return [{ key, type: 'Put', value, previous: known?.value ?? null, revision }];
      }
      if (!this.#entries.delete(key)) return [];
      return [{ key, type: 'Delete', value: null, previous: known?.value ?? null, revision }];
    });
  }

  #strip(key: string): string {
    return key.slice(this.#prefix.length);
  }
}
