import type { Json } from '../../store/content.ts';
import { writeValue } from '../../store/content.ts';
import type { Store } from '../../store/store.ts';
import type { Content } from './database-entry.ts';
import { differenceOf, isNothing } from './difference.ts';
import type { Ledger } from './ledger.ts';
import { planBatches } from './plan-batches.ts';

/** What Skerry takes in one transaction. */
const MOST_READS = 128;

/** What was done to a store. */
export interface Applied {
  readonly store: string;
  /** Of the store. */
  readonly revision: number;
  readonly put: readonly string[];
  readonly deleted: readonly string[];
  /** Transactions that it took; each is done wholly or not at all. */
  readonly batches: number;
}

/** Makes a store hold what the files say. */
export class StoreMirror {
  readonly #store: Store;
  readonly #ledger: Ledger;
  /** What the store holds of the keys that concern the files; undefined where that has to be read first. */
  #held: Map<string, Json> | undefined;
  /** Whether something may have been done halfway, or by somebody else. */
  #isDoubtful = false;

  /** @param ledger loaded. */
  constructor(store: Store, ledger: Ledger) {
    this.#store = store;
    this.#ledger = ledger;
  }

  /**
   * Writes the difference between what the store holds and what it should; keys that a sync of this name put and the files no longer have are
   * deleted, all others are let alone. After a failure the next call reads what the store really holds.
   *
   * @returns undefined where there was nothing to do.
   */
  async bring(desired: Content, signal: AbortSignal): Promise<Applied | undefined> {
    const held = this.#held ?? (await this.#read(desired, signal));
    this.#held = undefined;
    this.#isDoubtful = true;
    const name = this.#store.name;
    const difference = differenceOf(held, desired);
    const owned = this.#ledger.keysOf(name);
    await this.#ledger.write(name, new Set([...owned, ...desired.keys()]), signal);
    const batches = planBatches(difference);
    let revision = 0;
    for (const batch of batches) {
      ({ revision } = await this.#store.transact({ success: batch }, { signal }));
    }
    await this.#ledger.write(name, new Set(desired.keys()), signal);
    this.#held = new Map(desired);
    this.#isDoubtful = false;
    if (isNothing(difference)) return undefined;
    const { puts, deletions } = difference;
    return {
      store: name,
      revision,
      put: puts.map(({ key }) => key),
      deleted: deletions.map(({ key }) => key),
      batches: batches.length,
    };
  }

  async #read(desired: Content, signal: AbortSignal): Promise<Map<string, Json>> {
    if (this.#isDoubtful) await this.#ledger.reload(this.#store.name, signal);
    const keys = [...new Set([...this.#ledger.keysOf(this.#store.name), ...desired.keys()])];
    const held = new Map<string, Json>();
    for (let index = 0; index < keys.length; index += MOST_READS) {
      const success = keys.slice(index, index + MOST_READS).map((key) => ({ get: { key } }));
      const { results } = await this.#store.transact({ success }, { signal });
      for (const result of results) {
        if ('get' in result && result.get !== null) held.set(result.get.key, writeValue(result.get.value));
      }
    }
    return held;
  }
}
