import type { ContainerEntry } from './catalog.ts';
import { headUnder, type Item } from './item.ts';
import { rangeOf } from './partition-ranges.ts';
import { EMPTY, type ItemHead, type KeyPart, type Store, withPrefix } from './store.ts';

/** The counters of one physical partition: its last sequence number and its last item number. */
export interface Counters {
  readonly lsn: number;
  readonly itemNumber: number;
}

/** Item numbers, and with them resource ids, are unique in a container: each physical partition has a stretch of its own. */
const ITEMS_OF_A_RANGE = 2 ** 40;

export function readCounters(store: Store, container: ContainerEntry, range: string): Counters {
  const stored = store.meta.get(['lsn', container.number, range]);
  const [lsn, itemNumber] = Array.isArray(stored) ? stored.map(Number) : [];
  return { lsn: lsn ?? 0, itemNumber: itemNumber ?? Number(range) * ITEMS_OF_A_RANGE };
}

/** Kept beside the items: after a delete it could not be told from them. */
export function writeCounters(
  store: Store,
  container: ContainerEntry,
  range: string,
  counters: Counters,
): void {
  store.meta.putSync(['lsn', container.number, range], [counters.lsn, counters.itemNumber]);
}

/** Where an item's rows are. */
export interface ItemPlace {
  readonly container: ContainerEntry;
  /** The storage key parts. */
  readonly partitionKey: string;
  readonly id: string;
}

/**
 * Puts `item` in the place of the stored version whose head is `old`, with all rows that lead to it; undefined stands for none.
 * Rows that stay where they are, as those of unchanged values, are not written anew.
 */
export function writeItem(
  store: Store,
  place: ItemPlace,
  old: ItemHead | undefined,
  item: Item | undefined,
): void {
  const { container, partitionKey, id } = place;
  const key = [container.number, partitionKey, id];
  const range = rangeOf(container.ranges, partitionKey).id;
  if (old !== undefined) {
    store.feed.removeSync([container.number, range, old.lsn, old.sequence]);
    store.partitionFeed.removeSync([container.number, partitionKey, old.lsn, old.sequence]);
  }
  if (item === undefined) {
    store.heads.removeSync(key);
    store.bodies.removeSync(key);
  } else {
    const { lsn, sequence } = item.head;
    store.heads.putSync(key, item.head);
    store.bodies.putSync(key, item.body);
    store.feed.putSync([container.number, range, lsn, sequence], [partitionKey, id]);
    store.partitionFeed.putSync([container.number, partitionKey, lsn, sequence], id);
  }
  movePolicyRows(store, place, old, item?.head);
}

/** Brings the rows of a container's items in line with the indexing policy and time to live that it is about to have. */
export function reindexItems(store: Store, container: ContainerEntry): void {
  for (const key of [...store.index.getKeys(withPrefix(container.number))]) store.index.removeSync(key);
  for (const key of [...store.heads.getKeys(withPrefix(container.number))]) {
    const head = store.heads.get(key);
    const body = store.bodies.get(key);
    if (head === undefined || body === undefined) continue;
    const place = { container, partitionKey: String(key[1]), id: String(key[2]) };
    const next = headUnder(container, { head, body });
    store.heads.putSync(key, next);
    movePolicyRows(store, place, { ...head, indexed: [] }, next);
  }
}

/** Moves the rows that the container's indexing policy and time to live ask for. */
function movePolicyRows(
  store: Store,
  place: ItemPlace,
  old: ItemHead | undefined,
  head: ItemHead | undefined,
): void {
  const { container, partitionKey, id } = place;
  for (const pathNumber of container.indexing.scalarPaths.keys()) {
    const keyOf = ({ indexed }: ItemHead) => [
      container.number,
      pathNumber,
      partitionKey,
      ...(indexed[pathNumber] ?? []),
      id,
    ];
    moveRow(store.index, old && keyOf(old), head && keyOf(head));
  }
  moveRow(store.expiry, old && expiryKey(place, old), head && expiryKey(place, head));
}

function expiryKey({ container, partitionKey, id }: ItemPlace, { expiresAt }: ItemHead) {
  return expiresAt === 0 ? undefined : [expiresAt, container.number, partitionKey, id];
}

function moveRow(table: Store['index'], from: KeyPart[] | undefined, to: KeyPart[] | undefined): void {
  if (JSON.stringify(from) === JSON.stringify(to)) return;
  if (from !== undefined) table.removeSync(from);
  if (to !== undefined) table.putSync(to, EMPTY);
}
