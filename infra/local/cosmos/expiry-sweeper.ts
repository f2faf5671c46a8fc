import type { Catalog } from './catalog.ts';
import { writeItem } from './item-store.ts';
import type { Store } from './store.ts';

const SWEEP_EVERY_MS = 1000;
const ITEMS_PER_SWEEP = 1000;

/** Deletes what has expired; reads hide it before that. As in the service, the change feed does not tell of it. */
export class ExpirySweeper {
  readonly #store: Store;
  readonly #catalog: Catalog;
  readonly #timer: NodeJS.Timeout;

  constructor(store: Store, catalog: Catalog) {
    this.#store = store;
    this.#catalog = catalog;
    this.#timer = setInterval(() => void this.#sweep().catch(console.error), SWEEP_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #sweep(): Promise<void> {
    const now = Math.floor(Date.now() / 1000);
    const due = { start: [0], end: [now + 1], limit: ITEMS_PER_SWEEP };
    if ([...this.#store.expiry.getKeys({ ...due, limit: 1 })].length === 0) return;
    await this.#store.commit(() => this.#remove([...this.#store.expiry.getKeys(due)]));
  }

  #remove(keys: readonly (readonly unknown[])[]): void {
    const containers = new Map(
      this.#catalog.allContainers().map((container) => [container.number, container]),
    );
    for (const key of keys) {
      const partitionKey = String(key[2]);
      const id = String(key[3]);
      const container = containers.get(Number(key[1]));
      const head = container && this.#store.heads.get([container.number, partitionKey, id]);
      if (container !== undefined && head !== undefined) {
        writeItem(this.#store, { container, partitionKey, id }, head, undefined);
      }
    }
  }
}
