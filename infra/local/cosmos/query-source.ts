import type { ContainerEntry } from './catalog.ts';
import { indexedValueOf, isCut, isSamePath, TYPE_RANK } from './indexed-value.ts';
import { type EpkRange, isWithin } from './partition-ranges.ts';
import type { Position } from './query-position.ts';
import { compareById } from './sort-order.ts';
import type { PathConstraint } from './sql/constraints.ts';
import type { SortKey } from './sql/syntax.ts';
import { overlayKey, type ReadView } from './stale-history.ts';
import { AFTER_ALL, type ItemHead, type KeyPart, type Store } from './store.ts';

/** Where an item is and what is known of it before its body is read. */
export interface Located {
  readonly partitionKey: string;
  readonly id: string;
  readonly head: ItemHead;
  /** How the index that led here keeps its value, as text; items of a scan have none. */
  readonly entry?: string;
}

/** How the items of one partition that may pass a filter are found. */
export interface AccessPath {
  /** Of the index; undefined = every item is looked at. */
  readonly bounds: KeyBounds | undefined;
  readonly descending: boolean;
  /** What the items come by: their ids, the first sort key, or nothing that helps. */
  readonly order: 'id' | 'sortKey' | 'none';
}

export const SCAN: AccessPath = { bounds: undefined, descending: false, order: 'id' };

interface KeyBounds {
  readonly start: KeyPart[];
  readonly end: KeyPart[];
}

interface Choice extends AccessPath {
  readonly path: readonly string[];
}

/** More entries of an index than these are not told apart from still more. */
const MANY = 1000;
/** The index of a sort key is expected to show so many items for each that passes. */
const LOOKED_AT_FOR_EACH = 20;

/** Reads items as they stood when it was made, or as a view has them; call `close` at the end. */
export class QuerySource {
  readonly #store: Store;
  readonly #container: ContainerEntry;
  readonly #transaction: ReturnType<Store['snapshot']>;
  readonly #overlay: ReadView['overlay'];

  constructor(store: Store, container: ContainerEntry, { overlay }: ReadView) {
    this.#store = store;
    this.#container = container;
    this.#transaction = store.snapshot();
    this.#overlay = overlay;
  }

  close(): void {
    this.#transaction.done();
  }

  /** The one item, if it is there. */
  find(partitionKey: string, id: string): Located[] {
    const overlaid = this.#overlay?.get(overlayKey(partitionKey, id));
    const head = overlaid === undefined ? this.#storedHead(partitionKey, id) : overlaid.item?.head;
    return head === undefined ? [] : [{ partitionKey, id, head }];
  }

  body({ partitionKey, id }: Located): Buffer {
    const overlaid = this.#overlay?.get(overlayKey(partitionKey, id))?.item;
    const key = [this.#container.number, partitionKey, id];
    const body = overlaid?.body ?? this.#store.bodies.get(key, { transaction: this.#transaction });
    if (body === undefined) throw new Error(`The body of item ${id} is missing.`);
    return body;
  }

  /** The items of the partitions in `keys`, or of one partition, by partition key and id, from a position on. */
  scan(keys: EpkRange | string, after: Position | undefined): Iterable<Located> {
    const overlay = this.#overlay;
    if (overlay === undefined) return this.#scanStored(keys, after);
    const items = [...this.#scanStored(keys, after)].filter(
      ({ partitionKey, id }) => !overlay.has(overlayKey(partitionKey, id)),
    );
    for (const { partitionKey, id, item } of overlay.values()) {
      const isInScope = typeof keys === 'string' ? keys === partitionKey : isWithin(keys, partitionKey);
      if (isInScope && item !== undefined) items.push({ partitionKey, id, head: item.head });
    }
    return items.sort(compareById);
  }

  #storedHead(partitionKey: string, id: string): ItemHead | undefined {
    const transaction = this.#transaction;
    return this.#store.heads.get([this.#container.number, partitionKey, id], { transaction });
  }

  *#scanStored(keys: EpkRange | string, after: Position | undefined): Generator<Located> {
    const { number } = this.#container;
    const bounds =
      typeof keys === 'string'
        ? { start: [number, keys], end: [number, keys, AFTER_ALL] }
        : { start: [number, keys.minInclusive], end: [number, keys.maxExclusive] };
    const start = after === undefined ? bounds.start : [number, after.partitionKey, after.id, AFTER_ALL];
    const range = { ...bounds, start, transaction: this.#transaction };
    for (const { key, value } of this.#store.heads.getRange(range)) {
      yield { partitionKey: String(key[1]), id: String(key[2]), head: value };
    }
  }

  /** The partitions in `keys` that have items, by one seek each. */
  *partitionKeys({ minInclusive, maxExclusive }: EpkRange): Generator<string> {
    const { number } = this.#container;
    const end = [number, maxExclusive];
    let start: KeyPart[] = [number, minInclusive];
    for (;;) {
      const range = { start, end, limit: 1, transaction: this.#transaction };
      const [key] = [...this.#store.heads.getKeys(range)];
      if (key === undefined) return;
      const partitionKey = String(key[1]);
      yield partitionKey;
      start = [number, partitionKey, AFTER_ALL];
    }
  }

  /**
   * Chooses the constraint that the fewest items meet, unless so many do that walking the index of the first sort key finds what is
   * wanted sooner.
   * @param wanted how many items; Infinity = all
   */
  accessPath(
    partitionKey: string,
    constraints: readonly PathConstraint[],
    orderBy: readonly SortKey[],
    wanted: number,
  ): AccessPath {
    const choices = constraints.filter(isSeekable).flatMap((constraint): Choice[] => {
      const { path, equals } = constraint;
      const bounds = this.#indexBounds(partitionKey, path, constraint);
      return bounds ? [{ path, bounds, descending: false, order: equals === undefined ? 'none' : 'id' }] : [];
    });
    const [sortKey] = orderBy;
    const own = choices.find(({ path }) => isSamePath(path, sortKey?.path ?? []));
    const walked = sortKey && (own?.bounds ?? this.#indexBounds(partitionKey, sortKey.path, undefined));
    if (walked === undefined) return this.#fewest(choices, MANY) ?? choices[0] ?? SCAN;
    const few = this.#fewest(choices, Math.min(MANY, wanted * LOOKED_AT_FOR_EACH));
    return few ?? { bounds: walked, descending: sortKey?.descending ?? false, order: 'sortKey' };
  }

  /** The choice whose index entries run out first; undefined when all have more than `limit`. */
  #fewest(choices: readonly Choice[], limit: number): Choice | undefined {
    const walks = choices.map((choice) => ({
      choice,
      keys: this.#store.index
        .getKeys({ ...choice.bounds, limit: limit + 1, transaction: this.#transaction })
        [Symbol.iterator](),
    }));
    let ended: (typeof walks)[number] | undefined;
    for (let count = 0; count <= limit && walks.length > 0 && ended === undefined; count++) {
      ended = walks.find(({ keys }) => keys.next().done === true);
    }
    for (const { keys } of walks) keys.return?.();
    return ended?.choice;
  }

  /** The items of one partition that an access path leads to. */
  *follow(partitionKey: string, access: AccessPath, from: Position | undefined): Generator<Located> {
    const { bounds: all, descending, order } = access;
    if (all === undefined) return yield* this.scan(partitionKey, from);
    const { start, end } = from === undefined || order === 'none' ? all : resumed(access, all, from);
    const range = descending ? { start: end, end: start, reverse: true } : { start, end };
    for (const key of this.#store.index.getKeys({ ...range, transaction: this.#transaction })) {
      const id = String(key[5]);
      const head = this.#storedHead(partitionKey, id);
      if (head !== undefined) yield { partitionKey, id, head, entry: JSON.stringify(key.slice(3, 5)) };
    }
  }

  /** Whether a constraint can be sought in an index; the indexes know nothing of an overlay. */
  isIndexed({ path }: PathConstraint): boolean {
    return this.#pathNumber(path) >= 0;
  }

  #pathNumber(path: readonly string[]): number {
    if (this.#overlay !== undefined) return -1;
    return this.#container.indexing.scalarPaths.findIndex((candidate) => isSamePath(candidate, path));
  }

  /**
   * The part of an index where a constraint can be met; without one, the whole index of the partition. Strings that the index
   * holds cut are bounded loosely: the filter decides.
   */
  #indexBounds(
    partitionKey: string,
    path: readonly string[],
    constraint: PathConstraint | undefined,
  ): KeyBounds | undefined {
    const pathNumber = this.#pathNumber(path);
    if (pathNumber < 0) return undefined;
    const prefix = [this.#container.number, pathNumber, partitionKey];
    const { equals, lower, upper } = constraint ?? {};
    if (equals !== undefined) return startingWith([...prefix, ...indexedValueOf(equals)]);
    const sample = lower ?? upper;
    if (sample === undefined) return startingWith(prefix);
    const sameType = startingWith([...prefix, indexedValueOf(sample.value)[0]]);
    const start = lower === undefined ? sameType.start : [...prefix, ...indexedValueOf(lower.value)];
    if (lower !== undefined && !lower.inclusive && !isCut(lower.value)) start.push(AFTER_ALL);
    const end = upper === undefined ? sameType.end : [...prefix, ...indexedValueOf(upper.value)];
    if (upper !== undefined && (upper.inclusive || isCut(upper.value))) end.push(AFTER_ALL);
    return { start, end };
  }
}

/** Where an index scan goes on: at the last item's value, whose items are sorted anew; without sort keys, at its id. */
function resumed({ descending, order }: AccessPath, bounds: KeyBounds, from: Position): KeyBounds {
  if (order === 'id') return { ...bounds, start: [...bounds.start, from.id] };
  const last = startingWith([...bounds.start.slice(0, 3), ...indexedValueOf(from.sortValues[0])]);
  return descending ? { ...bounds, end: last.end } : { ...bounds, start: last.start };
}

function startingWith(prefix: KeyPart[]): KeyBounds {
  return { start: prefix, end: [...prefix, AFTER_ALL] };
}

/** Only scalars can be sought; equality of arrays and objects is left to the filter. */
function isSeekable({ equals, lower, upper }: PathConstraint): boolean {
  const values = [equals, lower?.value, upper?.value];
  return values.every((value) => value === undefined || indexedValueOf(value)[0] < TYPE_RANK.array);
}
