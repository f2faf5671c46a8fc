import type { ContainerEntry } from './catalog.ts';
import { isSamePath } from './indexed-value.ts';
import { indexBounds, isSeekable, type KeyBounds } from './query-source.ts';
import type { PathConstraint } from './sql/constraints.ts';
import type { SortKey } from './sql/syntax.ts';
import type { Store } from './store.ts';

/** How the items that may pass a filter are found. */
export type AccessPath =
  /** Every item, by partition key and id. */
  | { readonly kind: 'scan' }
  /** An index whose order is that of the first sort key (or of the ids, for an equality without sort keys). */
  | { readonly kind: 'ordered'; readonly bounds: KeyBounds; readonly descending: boolean }
  /** The few items that meet one constraint; they are sorted afterwards. */
  | { readonly kind: 'selected'; readonly bounds: KeyBounds };

export interface PlanInput {
  readonly partitionKey: string;
  readonly constraints: readonly PathConstraint[];
  readonly orderBy: readonly SortKey[];
  /** How many items are wanted; Infinity = all. */
  readonly wanted: number;
  readonly lsn: number;
}

const COUNTED_AT_MOST = 200;
const CACHED_COUNTS = 20_000;

/** Chooses between the indexes of a container by how many items each would make it look at. */
export class QueryPlanner {
  readonly #store: Store;
  readonly #counts = new Map<string, { readonly count: number; readonly lsn: number }>();

  constructor(store: Store) {
    this.#store = store;
  }

  choose(container: ContainerEntry, input: PlanInput): AccessPath {
    const selected = this.#mostSelective(container, input);
    const ordered = this.#ordered(container, input, selected?.count);
    if (ordered !== undefined && (selected === undefined || ordered.cost <= selected.count))
      return ordered.access;
    if (selected === undefined) return { kind: 'scan' };
    const inOrderOfIds = input.orderBy.length === 0 && selected.isEquality;
    if (inOrderOfIds) return { kind: 'ordered', bounds: selected.bounds, descending: false };
    return { kind: 'selected', bounds: selected.bounds };
  }

  #mostSelective(container: ContainerEntry, input: PlanInput) {
    const choices = input.constraints.flatMap((constraint) => {
      const pathNumber = scalarPathNumber(container, constraint.path);
      if (pathNumber < 0 || !isSeekable(constraint)) return [];
      const bounds = indexBounds(container, pathNumber, input.partitionKey, constraint);
      const isEquality = constraint.equals !== undefined;
      const count = isEquality ? this.#cachedCount(bounds, input.lsn) : this.#boundedCount(bounds);
      return [{ bounds, count, isEquality }];
    });
    return choices.toSorted((one, other) => one.count - other.count)[0];
  }

  #ordered(container: ContainerEntry, input: PlanInput, selectedCount: number | undefined) {
    const [sortKey] = input.orderBy;
    if (sortKey === undefined) return undefined;
    const pathNumber = scalarPathNumber(container, sortKey.path);
    if (pathNumber < 0) return undefined;
    const constraint = input.constraints.find(({ path }) => isSamePath(path, sortKey.path));
    const usable = constraint !== undefined && isSeekable(constraint) ? constraint : undefined;
    const bounds = indexBounds(container, pathNumber, input.partitionKey, usable);
    const total = this.#cachedCount(
      indexBounds(container, pathNumber, input.partitionKey, undefined),
      input.lsn,
    );
    const inBounds = usable === undefined ? total : Math.min(total, this.#boundedCount(bounds));
    const perHit = selectedCount === undefined ? 1 : total / Math.max(1, selectedCount);
    const access: AccessPath = { kind: 'ordered', bounds, descending: sortKey.descending };
    return { access, cost: Math.min(inBounds, input.wanted * perHit) };
  }

  /** Exact below the limit, Infinity above it. */
  #boundedCount(bounds: KeyBounds): number {
    let count = 0;
    for (const _ of this.#store.index.getKeys({ ...bounds, limit: COUNTED_AT_MOST })) count += 1;
    return count < COUNTED_AT_MOST ? count : Number.POSITIVE_INFINITY;
  }

  /** Counted anew when the container has changed by a quarter of the count since. */
  #cachedCount(bounds: KeyBounds, lsn: number): number {
    const name = JSON.stringify(bounds.start);
    const known = this.#counts.get(name);
    if (known !== undefined && Math.abs(lsn - known.lsn) <= known.count / 4) return known.count;
    const count = this.#store.index.getKeysCount({ ...bounds });
    if (this.#counts.size >= CACHED_COUNTS) this.#counts.clear();
    this.#counts.set(name, { count, lsn });
    return count;
  }
}

/** The number of the container's own index for a path, or -1. */
export function scalarPathNumber(container: ContainerEntry, path: readonly string[]): number {
  return container.indexing.scalarPaths.findIndex((candidate) => isSamePath(candidate, path));
}
