import type { ContainerEntry } from './catalog.ts';
import { badRequest } from './cosmos-error.ts';
import { isSamePath } from './indexed-value.ts';
import { isPathIndexed } from './indexing-policy.ts';
import type { JsonValue } from './json.ts';
import { compareStrings, compareValues } from './sql/compare.ts';
import type { SortKey } from './sql/syntax.ts';

export interface Sortable {
  readonly partitionKey: string;
  readonly id: string;
  readonly itemNumber: number;
  /** One for each sort key. */
  readonly sortValues: readonly (JsonValue | undefined)[];
}

/**
 * Sorted items tie in the order of their resource ids, turned round with a descending key: clients that resume a query over several
 * physical partitions skip what they have by that rule (@azure/cosmos RidSkipCountFilter). Others come by partition key and id.
 */
export function sortOrder(orderBy: readonly SortKey[]): (one: Sortable, other: Sortable) => number {
  if (orderBy.length === 0) return compareById;
  const turn = orderBy.some(({ descending }) => descending) ? -1 : 1;
  return (one, other) => {
    for (const [number, { descending }] of orderBy.entries()) {
      const order = compareValues(one.sortValues[number], other.sortValues[number]);
      if (order !== 0) return descending ? -order : order;
    }
    return turn * (one.itemNumber - other.itemNumber);
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
