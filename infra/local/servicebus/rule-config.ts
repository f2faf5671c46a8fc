import { z } from 'zod';
import type { SubscriptionSettings } from './broker/entities.ts';
import { entityName } from './entity-name.ts';
import { correlationFilter, type Filter, sqlFilter } from './filter/filter.ts';
import { isSystemProperty, readMessageProperties, type SystemProperty } from './filter/message-properties.ts';
import { SqlSyntaxError } from './filter/sql-syntax.ts';

const text = z.string().optional();
const scalar = z.union([z.string(), z.number(), z.boolean()], 'Expected text, a number or a boolean.');

const correlation = z
  .strictObject({
    ContentType: text,
    CorrelationId: text,
    Label: text,
    MessageId: text,
    ReplyTo: text,
    ReplyToSessionId: text,
    SessionId: text,
    To: text,
    Properties: z.record(z.string(), scalar).default({}),
  })
  .transform(({ Properties, ...fields }, context): Filter => {
    const system = new Map<SystemProperty, string>();
    for (const [field, wanted] of Object.entries(fields)) {
      const name = field.toLowerCase();
      if (wanted !== undefined && isSystemProperty(name)) system.set(name, wanted);
    }
    const user = new Map(Object.entries(Properties));
    if (system.size + user.size === 0) context.addIssue('A correlation filter needs at least one property.');
    return correlationFilter({ system, user });
  });

const sql = z.strictObject({
  SqlExpression: z.string().transform((expression, context): Filter => {
    try {
      return sqlFilter(expression);
    } catch (error) {
      if (!(error instanceof SqlSyntaxError)) throw error;
      context.addIssue(error.message);
      return z.NEVER;
    }
  }),
});

/** A rule of a subscription in the official emulator's `Config.json`; its properties become a filter. */
export const rule = z.strictObject({
  Name: z.union([z.literal('$Default'), entityName('rule', 50)], 'Not a valid rule name.'),
  Properties: z
    .strictObject({
      FilterType: z.string(),
      SqlFilter: sql.optional(),
      CorrelationFilter: correlation.optional(),
      Action: z.undefined('The emulator does not support actions of rules (Action).').optional(),
    })
    .transform(({ FilterType, SqlFilter, CorrelationFilter }, context): Filter => {
      const filters = { Sql: SqlFilter?.SqlExpression, Correlation: CorrelationFilter };
      if (FilterType !== 'Sql' && FilterType !== 'Correlation') {
        context.addIssue(`Expected the FilterType "Sql" or "Correlation", not "${FilterType}".`);
        return z.NEVER;
      }
      const filter = filters[FilterType];
      if (filter !== undefined && Object.values(filters).includes(undefined)) return filter;
      context.addIssue(`A rule of the type ${FilterType} needs a ${FilterType}Filter and no other filter.`);
      return z.NEVER;
    }),
});

/** Rules without actions are joined by OR; a subscription without rules gets everything. */
export function matcherOf(rules: readonly z.output<typeof rule>[]): SubscriptionSettings['matches'] {
  if (rules.length === 0) return () => true;
  return (content) => {
    const properties = readMessageProperties(content);
    return rules.some(({ Properties: passes }) => passes(properties));
  };
}
