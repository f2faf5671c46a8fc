import { z } from 'zod';
import type { Entities, QueueSettings } from './broker/queue-settings.ts';
import { correlationFilter, type Filter, sqlFilter } from './filter/filter.ts';
import { readMessageProperties, type SystemProperty } from './filter/message-properties.ts';
import { SqlSyntaxError } from './filter/sql-syntax.ts';
import { parseIsoDuration } from './iso-duration.ts';

/** TimeSpan.MaxValue, which the service takes for "never". */
const FOREVER = parseIsoDuration('P10675199DT2H48M5.4775807S') ?? Number.POSITIVE_INFINITY;

const SECONDS = 1000;
const MINUTES = 60 * SECONDS;
const DAYS = 24 * 60 * MINUTES;

function duration(smallest: number, largest: number) {
  return z.string().transform((text, context) => {
    const milliseconds = parseIsoDuration(text);
    if (milliseconds !== undefined && milliseconds >= smallest && milliseconds <= largest)
      return milliseconds;
    context.addIssue(
      `Expected an ISO 8601 duration from ${smallest / SECONDS} to ${largest / SECONDS} seconds, got "${text}".`,
    );
    return z.NEVER;
  });
}

function unsupportedForwarding(property: string) {
  return z.literal('', `The emulator does not support ${property}.`).default('');
}

/** `longest` as in Microsoft, "Service Bus quotas". */
function entityName(entity: string, longest: number, inside = '._-') {
  const pattern = `^[A-Za-z0-9](?:[A-Za-z0-9${inside}]{0,${longest - 2}}[A-Za-z0-9])?$`;
  return z.string().regex(new RegExp(pattern), `Not a valid ${entity} name.`);
}

/** An array whose items have different names, whatever their case. */
function named<Item extends z.ZodType<{ Name: string }>>(item: Item, entity: string) {
  return z.array(item).check(({ value, issues }) => {
    const names = value.map(({ Name }) => Name.toLowerCase());
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) === index) continue;
      const message = `Declares the ${entity} ${name} twice.`;
      issues.push({ code: 'custom', message, input: value[index]?.Name, path: [index, 'Name'] });
    }
  });
}

/** Limits are those of the service (Microsoft, "Service Bus quotas" and the resource references). */
const timeToLive = { DefaultMessageTimeToLive: duration(1 * SECONDS, FOREVER).default(FOREVER) };

const duplicateDetection = {
  DuplicateDetectionHistoryTimeWindow: duration(20 * SECONDS, 7 * DAYS).default(10 * MINUTES),
  RequiresDuplicateDetection: z.boolean().default(false),
};

const receiving = {
  DeadLetteringOnMessageExpiration: z.boolean().default(false),
  LockDuration: duration(5 * SECONDS, 5 * MINUTES).default(1 * MINUTES),
  MaxDeliveryCount: z.int().min(1).max(2000).default(10),
  RequiresSession: z.boolean().default(false),
  ForwardTo: unsupportedForwarding('ForwardTo'),
  ForwardDeadLetteredMessagesTo: unsupportedForwarding('ForwardDeadLetteredMessagesTo'),
};

const queue = z.strictObject({
  Name: entityName('queue', 260, '._/-'),
  Properties: z.strictObject({ ...timeToLive, ...duplicateDetection, ...receiving }).prefault({}),
});

const text = z.string().optional();

const SYSTEM_FIELDS = {
  ContentType: 'contenttype',
  CorrelationId: 'correlationid',
  Label: 'label',
  MessageId: 'messageid',
  ReplyTo: 'replyto',
  ReplyToSessionId: 'replytosessionid',
  SessionId: 'sessionid',
  To: 'to',
} as const satisfies Record<string, SystemProperty>;

const correlation = z
  .strictObject({
    ...(Object.fromEntries(Object.keys(SYSTEM_FIELDS).map((field) => [field, text])) as Record<
      keyof typeof SYSTEM_FIELDS,
      typeof text
    >),
    Properties: z
      .record(
        z.string(),
        z.union([z.string(), z.number(), z.boolean()], 'Expected text, a number or a boolean.'),
      )
      .default({}),
  })
  .transform(({ Properties, ...fields }, context): Filter => {
    const system = new Map<SystemProperty, string>();
    for (const [field, name] of Object.entries(SYSTEM_FIELDS)) {
      const wanted = fields[field as keyof typeof SYSTEM_FIELDS];
      if (wanted !== undefined) system.set(name, wanted);
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

const FILTER_TYPES = ['Sql', 'Correlation'];

const rule = z.strictObject({
  Name: z.union([z.literal('$Default'), entityName('rule', 50)], 'Not a valid rule name.'),
  Properties: z
    .strictObject({
      FilterType: z
        .string()
        .refine((type) => FILTER_TYPES.includes(type), 'Expected "Sql" or "Correlation".'),
      SqlFilter: sql.optional(),
      CorrelationFilter: correlation.optional(),
      Action: z.undefined('The emulator does not support actions of rules (Action).').optional(),
    })
    .transform(({ FilterType, SqlFilter, CorrelationFilter }, context): Filter => {
      const [wanted, other] =
        FilterType === 'Sql'
          ? [SqlFilter?.SqlExpression, CorrelationFilter]
          : [CorrelationFilter, SqlFilter?.SqlExpression];
      if (wanted !== undefined && other === undefined) return wanted;
      context.addIssue(`A rule of the type ${FilterType} needs a ${FilterType}Filter and no other filter.`);
      return z.NEVER;
    }),
});

const subscription = z.strictObject({
  Name: entityName('subscription', 50),
  Properties: z.strictObject({ ...timeToLive, ...receiving }).prefault({}),
  Rules: named(rule, 'rule').default([]),
});

const topic = z.strictObject({
  Name: entityName('topic', 260, '._/-'),
  Properties: z.strictObject({ ...timeToLive, ...duplicateDetection }).prefault({}),
  Subscriptions: named(subscription, 'subscription').default([]),
});

const namespace = z
  .strictObject({
    Name: z.string(),
    Queues: named(queue, 'queue').default([]),
    Topics: named(topic, 'topic').default([]),
  })
  .check(({ value: { Queues, Topics }, issues }) => {
    const queues = new Set(Queues.map(({ Name }) => Name.toLowerCase()));
    for (const [index, { Name }] of Topics.entries()) {
      if (!queues.has(Name.toLowerCase())) continue;
      const message = 'A queue and a topic cannot have the same name.';
      issues.push({ code: 'custom', message, input: Name, path: ['Topics', index, 'Name'] });
    }
  });

const config = z.object({
  UserConfig: z.object({
    Namespaces: z.array(namespace).length(1, 'The emulator has exactly one namespace.'),
    Logging: z.unknown().optional(),
  }),
});

/** The official Service Bus emulator's `Config.json`. */
export type ServiceBusConfig = z.input<typeof config>;

/** Reads the declared entities; throws an error that names every value that is wrong or not supported, and its path. */
export function readEntities(declared: ServiceBusConfig): Entities {
  const result = config.safeParse(declared, { reportInput: true });
  if (!result.success) {
    const problems = result.error.issues.map(describeIssue);
    throw new Error(['The Service Bus configuration is invalid.', ...problems].join('\n'));
  }
  const [declaredNamespace] = result.data.UserConfig.Namespaces;
  const { Queues = [], Topics = [] } = declaredNamespace ?? {};
  return {
    queues: Queues.map(({ Name, Properties }) => ({
      name: Name,
      ...receivingSettings(Properties),
      ...lifetime(Properties),
      ...duplicateDetectionSettings(Properties),
    })),
    topics: Topics.map(({ Name, Properties, Subscriptions }) => ({
      name: Name,
      ...lifetime(Properties),
      ...duplicateDetectionSettings(Properties),
      subscriptions: Subscriptions.map((declaration) => ({
        name: declaration.Name,
        ...receivingSettings(declaration.Properties),
        ...lifetime(declaration.Properties),
        matches: anyOf(declaration.Rules.map((declaredRule) => declaredRule.Properties)),
      })),
    })),
  };
}

function describeIssue({ path, message, input }: z.core.$ZodIssue): string {
  const value = input === undefined ? '' : ` The value is ${JSON.stringify(input).slice(0, 200)}.`;
  return `- ${z.core.toDotPath(path)}: ${message}${value}`;
}

/** Rules without actions are joined by OR; a subscription without rules gets everything. */
function anyOf(filters: readonly Filter[]): Entities['topics'][number]['subscriptions'][number]['matches'] {
  if (filters.length === 0) return () => true;
  return (content) => {
    const properties = readMessageProperties(content);
    return filters.some((passes) => passes(properties));
  };
}

function receivingSettings(properties: z.output<typeof subscription>['Properties']) {
  return {
    lockDuration: properties.LockDuration,
    maxDeliveryCount: properties.MaxDeliveryCount,
    deadLetterOnExpiration: properties.DeadLetteringOnMessageExpiration,
    requiresSession: properties.RequiresSession,
  };
}

function lifetime({ DefaultMessageTimeToLive: defaultTimeToLive }: { DefaultMessageTimeToLive: number }) {
  return defaultTimeToLive < FOREVER ? { defaultTimeToLive } : {};
}

function duplicateDetectionSettings(
  properties: z.output<typeof topic>['Properties'],
): Pick<QueueSettings, 'duplicateDetectionWindow'> {
  if (!properties.RequiresDuplicateDetection) return {};
  return { duplicateDetectionWindow: properties.DuplicateDetectionHistoryTimeWindow };
}
