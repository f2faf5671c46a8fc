import { z } from 'zod';
import type { Entities } from './broker/entities.ts';
import { entityName, named } from './entity-name.ts';
import { parseIsoDuration } from './iso-duration.ts';
import { matcherOf, rule } from './rule-config.ts';

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
      `Expected an ISO 8601 duration from ${smallest / SECONDS} to ${largest / SECONDS} seconds.`,
    );
    return z.NEVER;
  });
}

function unsupportedForwarding(property: string) {
  return z.literal('', `The emulator does not support ${property}.`).default('');
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
      ...keepingSettings(Properties),
    })),
    topics: Topics.map(({ Name, Properties, Subscriptions }) => ({
      name: Name,
      ...keepingSettings(Properties),
      subscriptions: Subscriptions.map((declaration) => ({
        name: declaration.Name,
        ...receivingSettings(declaration.Properties),
        ...keepingSettings(declaration.Properties),
        matches: matcherOf(declaration.Rules),
      })),
    })),
  };
}

function describeIssue({ path, message, input }: z.core.$ZodIssue): string {
  const value = input === undefined ? '' : ` (value: ${JSON.stringify(input).slice(0, 200)})`;
  return `- ${z.core.toDotPath(path)}: ${message}${value}`;
}

function receivingSettings(properties: z.output<typeof subscription>['Properties']) {
  return {
    lockDuration: properties.LockDuration,
    maxDeliveryCount: properties.MaxDeliveryCount,
    deadLetterOnExpiration: properties.DeadLetteringOnMessageExpiration,
    requiresSession: properties.RequiresSession,
  };
}

interface Keeping {
  readonly DefaultMessageTimeToLive: number;
  readonly RequiresDuplicateDetection?: boolean;
  readonly DuplicateDetectionHistoryTimeWindow?: number;
}

/** How long messages and their ids are kept, where there is a limit. */
function keepingSettings(properties: Keeping) {
  const { DefaultMessageTimeToLive: defaultTimeToLive, RequiresDuplicateDetection: isRequired } = properties;
  const { DuplicateDetectionHistoryTimeWindow: duplicateDetectionWindow } = properties;
  return {
    ...(defaultTimeToLive < FOREVER && { defaultTimeToLive }),
    ...(isRequired && { duplicateDetectionWindow }),
  };
}
