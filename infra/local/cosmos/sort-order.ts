import type { ContainerEntry } from './catalog.ts';
import { badRequest } from './cosmos-error.ts';
import { isPathIndexed } from './indexing-policy.ts';
import type { JsonValue } from './json.ts';
import { isSamePath } from './query-plan.ts';
import { compareStrings, compareValues } from './sql/compare.ts';
import type { SortKey } from './sql/syntax.ts';

export interface Sortable {
  readonly partitionKey: string;
  readonly id: string;
  /** One for each sort key. */
  readonly sortValues: readonly (JsonValue | undefined)[];
}

/** Ascending: ties in the order of ids; descending: ties the other way round, as an index read backwards yields them. */
export function sortOrder(orderBy: readonly SortKey[]): (one: Sortable, other: Sortable) => number {
  const isTurned = orderBy[0]?.descending === true;
  return (one, other) => {
    for (const [number, { descending }] of orderBy.entries()) {
      const order = compareValues(one.sortValues[number], other.sortValues[number]);
      if (order !== 0) return descending ? -order : order;
    }
    return isTurned ? compareById(other, one) : compareById(one, other);
  };
}

export function compareById(
  one: Pick<Sortable, 'partitionKey' | 'id'>,
  other: Pick<Sortable, 'partitionKey' | 'id'>,
): number {
  return compareStrings(one.partitionKey, other.partitionKey) || compareStrings(one.id, other.id);
}

/** The service sorts by indexes only. @throws CosmosError 400 in its words */
export function checkOrderBy({ indexing }: ContainerEntry, orderBy: readonly SortKey[]): void {
  for (const { path } of orderBy) {
    if (isPathIndexed(indexing, path)) continue;
    throw badRequest('The index path corresponding to the specified order-by item is excluded.');
  }
  if (orderBy.length < 2) return;
  const isServed = indexing.compositeIndexes.some(
    (composite) =>
      composite.length === orderBy.length &&
      composite.every(({ path }, number) => isSamePath(path, orderBy[number]?.path ?? [])) &&
      [true, false].some((turned) =>
        composite.every(({ descending }, number) => (descending !== turned) === orderBy[number]?.descending),
      ),
  );
  if (isServed) return;
  throw badRequest(
    'The order by query does not have a corresponding composite index that it can be served from.',
  );
}
