import type { ContainerEntry } from './catalog.ts';
import { badRequest, QueryPlanNeeded } from './cosmos-error.ts';
import { isSamePath } from './indexed-value.ts';
import type { JsonObject } from './json.ts';
import { effectiveKeyOf, type PartitionKey, partitionKeyOf } from './partition-key.ts';
import { ALL_KEYS } from './partition-ranges.ts';
import { constraintsOf } from './sql/constraints.ts';
import { constantOf, type Parameters } from './sql/evaluate.ts';
import type { Expression, SelectQuery } from './sql/syntax.ts';

/** Clients that resume a sorted query put a condition in its place. */
const FILTER = '({documentdb-formattableorderbyquery-filter})';

type PartitionedBy = Pick<ContainerEntry, 'partitionKeyPath'>;

/** How much of the results a query wants. @throws CosmosError 400 when a count is not a whole number */
export function cutOf({ top, offset, limit }: SelectQuery, parameters: Parameters) {
  const count = (expression: Expression | undefined) => {
    if (expression === undefined) return undefined;
    const value = constantOf(expression, parameters);
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
    throw badRequest('TOP, OFFSET and LIMIT take whole numbers that are not negative.');
  };
  return { top: count(top), offset: count(offset), limit: count(limit) };
}

/** The one partition key that a filter admits, if it names it. */
export function pinnedPartitionKey(
  container: PartitionedBy,
  { where }: SelectQuery,
  parameters: Parameters,
): PartitionKey | undefined {
  const constraints = constraintsOf(where, parameters);
  const value = constraints.find(({ path }) => isSamePath(path, container.partitionKeyPath))?.equals;
  const isKey = value !== undefined && (value === null || typeof value !== 'object');
  return isKey ? partitionKeyOf(value) : undefined;
}

/**
 * Refuses what the gateway does not answer across partitions: whatever takes more than putting the results of the physical
 * partitions one after the other, also when there is but one. Clients then follow the plan that comes with the refusal.
 * @throws QueryPlanNeeded
 */
export function requireServable(container: PartitionedBy, query: SelectQuery, parameters: Parameters): void {
  const { selection, top, orderBy, offset } = query;
  if (selection.kind !== 'count' && top === undefined && orderBy.length === 0 && offset === undefined) return;
  throw new QueryPlanNeeded(
    'The provided cross partition query can not be directly served by the gateway. This is a first chance (internal) exception ' +
      'that all newer clients will know how to handle gracefully. This exception is traced, but unless you see it bubble up as ' +
      'an exception (which only happens on older SDK clients), then you can safely ignore this message.',
    JSON.stringify(queryPlan(container, query, parameters)),
  );
}

/** How a client puts a query's results together: which part of it each physical partition is asked, and what to do then. */
export function queryPlan(container: PartitionedBy, query: SelectQuery, parameters: Parameters): JsonObject {
  const { selection, orderBy } = query;
  const { top = null, offset = null, limit = null } = cutOf(query, parameters);
  const pinned = pinnedPartitionKey(container, query, parameters);
  const key = pinned && effectiveKeyOf(pinned);
  return {
    partitionedQueryExecutionInfoVersion: 2,
    queryInfo: {
      distinctType: 'None',
      top,
      offset,
      limit,
      orderBy: orderBy.map(({ descending }) => (descending ? 'Descending' : 'Ascending')),
      orderByExpressions: orderBy.map(({ text }) => text),
      groupByExpressions: [],
      groupByAliases: [],
      aggregates: selection.kind === 'count' ? ['Count'] : [],
      groupByAliasToAggregateType: {},
      rewrittenQuery: rewrittenQuery(query, parameters),
      hasSelectValue: selection.kind === 'count' || selection.kind === 'value',
      dCountInfo: null,
      hasNonStreamingOrderBy: false,
    },
    queryRanges: [
      key === undefined
        ? {
            min: ALL_KEYS.minInclusive,
            max: ALL_KEYS.maxExclusive,
            isMinInclusive: true,
            isMaxInclusive: false,
          }
        : { min: key, max: key, isMinInclusive: true, isMaxInclusive: true },
    ],
    hybridSearchQueryInfo: null,
  };
}

/** What each physical partition is asked; empty = the query as it is. */
function rewrittenQuery(query: SelectQuery, parameters: Parameters): string {
  const { selection, orderBy, alias, clauses } = query;
  const { top, offset, limit } = cutOf(query, parameters);
  const from = `\nFROM ${clauses.from}`;
  const where = clauses.where === undefined ? '' : `\nWHERE ${clauses.where}`;
  if (selection.kind === 'count') return `SELECT VALUE [{"item": ${selection.text}}]${from}${where}`;
  const cut = offset === undefined ? '' : `\nOFFSET 0 LIMIT ${offset + (limit ?? 0)}`;
  if (orderBy.length === 0) return cut && `SELECT ${clauses.selection}${from}${where}${cut}`;
  const first = top === undefined ? '' : `TOP ${top} `;
  const items = orderBy.map(({ text }) => `{"item": ${text}}`).join(', ');
  const filter = `\nWHERE ${clauses.where === undefined ? '' : `(${clauses.where}) AND `}${FILTER}`;
  const order = orderBy.map(({ text, descending }) => `${text} ${descending ? 'DESC' : 'ASC'}`).join(', ');
  return (
    `SELECT ${first}${alias}._rid, [${items}] AS orderByItems, ${payload(query)} AS payload` +
    `${from}${filter}\nORDER BY ${order}${cut}`
  );
}

/** What a sorted query selects, as one expression. */
function payload({ selection, alias }: SelectQuery): string {
  if (selection.kind === 'all') return alias;
  if (selection.kind !== 'list') return selection.text;
  return `{${selection.items.map(({ name, text }) => `${JSON.stringify(name)}: ${text}`).join(', ')}}`;
}
