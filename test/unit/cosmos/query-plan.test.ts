import { describe, expect, it } from 'vitest';
import { QueryPlanNeeded } from '../../../infra/local/cosmos/cosmos-error.ts';
import { effectivePartitionKey } from '../../../infra/local/cosmos/effective-partition-key.ts';
import { queryPlan, requireServable } from '../../../infra/local/cosmos/query-plan.ts';
import { parseQuery } from '../../../infra/local/cosmos/sql/parse.ts';

const container = { partitionKeyPath: ['scope'] };
const parameters = new Map([
  ['@n', 3],
  ['@skip', 2],
]);
const planOf = (query: string) => queryPlan(container, parseQuery(query), parameters);

/** What the SDK puts in the filter's place (@azure/cosmos parallelQueryExecutionContextBase, OrderByQueryRangeStrategy). */
const FILTERS = [
  'true',
  "(c.rank >= 3 AND c.text < 'o\\u0027neil \\\\')",
  '(c.flag > true)',
  '(c.no <= null)',
];

describe('the plan of a query', () => {
  it.each<[string, Record<string, unknown>]>([
    ['SELECT * FROM c', { rewrittenQuery: '', hasSelectValue: false }],
    ['SELECT TOP 3 * FROM c', { top: 3, rewrittenQuery: '' }],
    [
      'SELECT VALUE COUNT(1) FROM c WHERE c.a = 1',
      {
        aggregates: ['Count'],
        hasSelectValue: true,
        rewrittenQuery: 'SELECT VALUE [{"item": COUNT(1)}]\nFROM c\nWHERE c.a = 1',
      },
    ],
    [
      'SELECT c.id FROM c OFFSET @skip LIMIT @n',
      { offset: 2, limit: 3, rewrittenQuery: 'SELECT c.id\nFROM c\nOFFSET 0 LIMIT 5' },
    ],
    [
      'SELECT TOP @n * FROM root c WHERE c.a = 1 OR c.b = 2 ORDER BY c.rank',
      {
        top: 3,
        orderBy: ['Ascending'],
        orderByExpressions: ['c.rank'],
        rewrittenQuery:
          'SELECT TOP 3 c._rid, [{"item": c.rank}] AS orderByItems, c AS payload\nFROM root c\n' +
          'WHERE (c.a = 1 OR c.b = 2) AND ({documentdb-formattableorderbyquery-filter})\nORDER BY c.rank ASC',
      },
    ],
    [
      'SELECT c.id, c["at"].zone AS z FROM c ORDER BY c.a, c["b"] DESC OFFSET 1 LIMIT 2',
      {
        orderBy: ['Ascending', 'Descending'],
        orderByExpressions: ['c.a', 'c["b"]'],
        rewrittenQuery:
          'SELECT c._rid, [{"item": c.a}, {"item": c["b"]}] AS orderByItems, {"id": c.id, "z": c["at"].zone} AS payload\nFROM c\n' +
          'WHERE ({documentdb-formattableorderbyquery-filter})\nORDER BY c.a ASC, c["b"] DESC\nOFFSET 0 LIMIT 3',
      },
    ],
  ])('%s', (query, expected) => {
    const { queryInfo, queryRanges } = planOf(query);
    expect(queryInfo).toMatchObject(expected);
    expect(queryRanges).toEqual([{ min: '', max: 'FF', isMinInclusive: true, isMaxInclusive: false }]);
    const { rewrittenQuery } = queryInfo as { rewrittenQuery: string };
    for (const filter of rewrittenQuery === '' ? [] : FILTERS) {
      const asked = rewrittenQuery.replace('{documentdb-formattableorderbyquery-filter}', filter);
      expect(() => parseQuery(asked)).not.toThrow();
    }
  });

  it('asks only the partition that the filter names', () => {
    const key = effectivePartitionKey('s');
    expect(planOf("SELECT * FROM c WHERE c.a = 1 AND c.scope = 's' ORDER BY c.a").queryRanges).toEqual([
      { min: key, max: key, isMinInclusive: true, isMaxInclusive: true },
    ]);
    expect(planOf("SELECT * FROM c WHERE c.scope = 's' OR c.a = 1").queryRanges).toMatchObject([
      { max: 'FF' },
    ]);
  });

  it('comes with the refusal of what must be put together, and of nothing else', () => {
    const require = (query: string) => requireServable(container, parseQuery(query), parameters);
    for (const query of ['SELECT * FROM c', 'SELECT VALUE [c.a, {"b": c.b}] FROM c WHERE c.a IN (1, 2)']) {
      expect(() => require(query)).not.toThrow();
    }
    for (const rest of ['ORDER BY c.a', 'OFFSET 0 LIMIT 1']) {
      expect(() => require(`SELECT * FROM c ${rest}`)).toThrow(QueryPlanNeeded);
    }
    expect(() => require('SELECT VALUE COUNT(1) FROM c')).toThrow(QueryPlanNeeded);
    expect(() => require('SELECT TOP 1 * FROM c')).toThrow(QueryPlanNeeded);
  });

  it('resuming a sorted query with another filter keeps its continuation, another order does not', () => {
    const shapeOf = (query: string) => parseQuery(query).shape;
    expect(shapeOf('SELECT * FROM c WHERE c.a > 1 ORDER BY c.a')).toBe(
      shapeOf('SELECT * FROM c WHERE true ORDER BY c.a'),
    );
    expect(shapeOf('SELECT * FROM c WHERE true ORDER BY c.b')).not.toBe(
      shapeOf('SELECT * FROM c WHERE true ORDER BY c.a'),
    );
  });
});
