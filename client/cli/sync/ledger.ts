import type { ListedEntry, Store } from '../../store/store.ts';
import { SkerryProblem } from '../../transport/problem.ts';

/** The store that holds the ledgers of all syncs of a namespace. */
export const LEDGER_STORE = 'skerry-sync';
/** What Skerry takes in one value. */
const MOST_BYTES = 256 * 1024;

/** Somebody wrote the ledger since it was read: what there is has to be read again. */
export class AnotherSync extends Error {
  override readonly name = 'AnotherSync';

  constructor(name: string) {
    super(
      `another sync named "${name}" is at work: give each its own by --name, unless they hold the same files`,
    );
  }
}

interface Page {
  readonly keys: ReadonlySet<string>;
  readonly revision: number;
}

/**
 * Which keys a sync has put, for each store: those alone may it delete later, be it after a restart, when the files no longer have them.
 * A key is claimed before it is put and released after it is deleted, so that whatever happens in between the ledger names
 * at least all that the sync has put. Every write is held against the revision that was read: two syncs of one name notice each other.
 */
export class Ledger {
  readonly #store: Store;
  readonly #name: string;
  readonly #pages = new Map<string, Page>();

  /** @param name tells this sync from others of the namespace. */
  constructor(store: Store, name: string) {
    this.#store = store;
    this.#name = name;
  }

  /** Reads all of it. @returns the stores in which the sync has put something. */
  async load(signal: AbortSignal): Promise<readonly string[]> {
    const prefix = `${this.#name}/`;
    this.#pages.clear();
    for await (const entry of this.#store.list({ prefix, signal })) {
      this.#pages.set(entry.key.slice(prefix.length), pageOf(entry));
    }
    return [...this.#pages.keys()];
  }

  /** Reads anew what concerns one store. */
  async reload(store: string, signal: AbortSignal): Promise<void> {
    const entry = await this.#store.get(this.#keyOf(store), { signal });
    if (entry === undefined) this.#pages.delete(store);
    else this.#pages.set(store, pageOf(entry));
  }

  keysOf(store: string): ReadonlySet<string> {
    return this.#pages.get(store)?.keys ?? new Set();
  }

  /**
   * Makes it exactly these keys.
   *
   * @throws AnotherSync
   */
  async write(store: string, keys: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const known = this.#pages.get(store);
    if (isSame(keys, known?.keys ?? new Set())) return;
    const ifRevision = known?.revision ?? 0;
    try {
      if (keys.size === 0) {
        await this.#store.delete(this.#keyOf(store), { ifRevision, signal });
        this.#pages.delete(store);
      } else {
        const value = ledgerValue(store, keys);
        const { revision } = await this.#store.put(this.#keyOf(store), value, { ifRevision, signal });
        this.#pages.set(store, { keys, revision });
      }
    } catch (error) {
      throw error instanceof SkerryProblem && error.status === 412 ? new AnotherSync(this.#name) : error;
    }
  }

  #keyOf(store: string): string {
    return `${this.#name}/${store}`;
  }
}

function pageOf({ key, value, revision }: Pick<ListedEntry, 'key' | 'value' | 'revision'>): Page {
  const keys = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : undefined;
  if (!Array.isArray(keys) || !keys.every((name) => typeof name === 'string')) {
    throw new Error(
      `/kv/${LEDGER_STORE}/${key} does not hold what a sync wrote. Delete it, and the next sync starts without a memory of earlier ones.`,
    );
  }
  return { keys: new Set(keys), revision };
}

function ledgerValue(store: string, keys: ReadonlySet<string>): { readonly keys: readonly string[] } {
  const value = { keys: [...keys].sort() };
  if (Buffer.byteLength(JSON.stringify(value)) > MOST_BYTES) {
    throw new Error(
      `One sync cannot remember ${keys.size} keys of the store ${store}: they have to fit into ${MOST_BYTES / 1024} KiB. Spread the files over several syncs.`,
    );
  }
  return value;
}

function isSame(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return some.size === others.size && [...some].every((key) => others.has(key));
}
