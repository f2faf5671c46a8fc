import { type Change, recordAfter, type StoredRecord } from '../change.ts';
import { endOfPrefix, isUnder, type KeyOrder } from '../key.ts';

interface Entry<Value> {
  readonly record: StoredRecord<Value>;
  readonly bytes: number;
}

/** The live records of a scope at one revision: the only place where changes are folded into a state. */
export class Snapshot<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  #revision: number;
  #bytes = 0;
  #sortedKeys: string[] | undefined;

  /** @param revision from which on changes are folded in; records of later revisions may be added beforehand. */
  constructor(revision: number) {
    this.#revision = revision;
  }

  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Approximate: the length of the values as JSON, with an allowance for what surrounds each. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): StoredRecord<Value> | undefined {
    return this.#entries.get(key)?.record;
  }

  /** Adds a record as it was read from storage, which may have been after `revision`. */
  add(record: StoredRecord<Value>): void {
    this.#set(record.key, record);
  }

  /**
   * Applies the next change. A record that was read after it is right again once the changes up to its revision are folded in too.
   *
   * @throws Error when the change is not the one that follows `revision`.
   */
  fold(change: Change<Value>): void {
    if (change.revision !== this.#revision + 1) {
      throw new Error(`Change ${change.revision} does not follow revision ${this.#revision}.`);
    }
    this.#revision = change.revision;
    this.#set(change.key, recordAfter(change));
  }

  /** The records under a prefix, as `isUnder` has it, in the order of keys, beginning behind `after`; empty ones stand for all. */
  *recordsUnder(
    prefix: string,
    after: string,
    order: KeyOrder = 'ascending',
  ): Generator<StoredRecord<Value>> {
    this.#sortedKeys ??= [...this.#entries.keys()].sort();
    const keys = this.#sortedKeys;
    const end = endOfPrefix(prefix);
    const isDescending = order === 'descending';
    const begin = firstIndex(keys, (key) => key >= prefix && (isDescending || key > after));
    const stop = firstIndex(
      keys,
      (key) => (end !== undefined && key >= end) || (isDescending && after !== '' && key >= after),
    );
    for (let step = 0; step < stop - begin; step += 1) {
      const key = keys[isDescending ? stop - 1 - step : begin + step] ?? '';
      const record = isUnder(prefix, key) ? this.get(key) : undefined;
      if (record !== undefined) {
        yield record;
      }
    }
  }

  #set(key: string, record: StoredRecord<Value> | undefined): void {
    const known = this.#entries.get(key);
    this.#bytes -= known?.bytes ?? 0;
    if (record === undefined) {
      this.#entries.delete(key);
    } else {
      const bytes = OVERHEAD_BYTES + JSON.stringify(record.value).length;
      this.#entries.set(key, { record, bytes });
      this.#bytes += bytes;
    }
    if ((known === undefined) !== (record === undefined)) {
      this.#sortedKeys = undefined;
    }
  }
}

/** What a record takes beside its value: key, times and the entry itself. */
const OVERHEAD_BYTES = 300;

/** Where the keys begin that `isReached` holds for, as it does for all behind one that it holds for. */
function firstIndex(sorted: readonly string[], isReached: (key: string) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isReached(sorted[middle] ?? '')) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}
