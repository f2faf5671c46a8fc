import type { ContainerEntry } from './catalog.ts';
import { entryParts } from './indexed-value.ts';
import type { Item } from './item.ts';
import { rangeOf } from './partition-ranges.ts';
import { EMPTY, type ItemHead, type Store } from './store.ts';

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

/** Writes an item and all rows that lead to it. Rows of an earlier version must be removed first. */
export function putItem(store: Store, place: ItemPlace, item: Item): void {
  const { container, partitionKey, id } = place;
  const { head } = item;
  const range = rangeOf(container.ranges, partitionKey).id;
  store.heads.putSync([container.number, partitionKey, id], head);
  store.bodies.putSync([container.number, partitionKey, id], item.body);
  store.feed.putSync([container.number, range, head.lsn, head.sequence], [partitionKey, id, head.timestamp]);
  store.partitionFeed.putSync([container.number, partitionKey, head.lsn, head.sequence], id);
  for (const key of indexKeys(place, head)) store.index.putSync(key, EMPTY);
  if (head.expiresAt !== 0) store.expiry.putSync([head.expiresAt, container.number, partitionKey, id], EMPTY);
}

export function removeItem(store: Store, place: ItemPlace, head: ItemHead): void {
  const { container, partitionKey, id } = place;
  const range = rangeOf(container.ranges, partitionKey).id;
  store.heads.removeSync([container.number, partitionKey, id]);
  store.bodies.removeSync([container.number, partitionKey, id]);
  store.feed.removeSync([container.number, range, head.lsn, head.sequence]);
  store.partitionFeed.removeSync([container.number, partitionKey, head.lsn, head.sequence]);
  for (const key of indexKeys(place, head)) store.index.removeSync(key);
  if (head.expiresAt !== 0) store.expiry.removeSync([head.expiresAt, container.number, partitionKey, id]);
}

function indexKeys({ container, partitionKey, id }: ItemPlace, head: ItemHead) {
  return head.indexed.map((value, pathNumber) => [
    container.number,
    pathNumber,
    partitionKey,
    ...entryParts(value),
    id,
  ]);
}
