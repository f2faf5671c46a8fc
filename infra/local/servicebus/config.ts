import { z } from 'zod';
import type { QueueSettings } from './broker/queue-settings.ts';
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

/** Limits are those of the service (Microsoft, "Service Bus quotas" and the queue resource reference). */
const properties = z.strictObject({
  DeadLetteringOnMessageExpiration: z.boolean().default(false),
  DefaultMessageTimeToLive: duration(1 * SECONDS, FOREVER).default(FOREVER),
  DuplicateDetectionHistoryTimeWindow: duration(20 * SECONDS, 7 * DAYS).default(10 * MINUTES),
  LockDuration: duration(5 * SECONDS, 5 * MINUTES).default(1 * MINUTES),
  MaxDeliveryCount: z.int().min(1).max(2000).default(10),
  RequiresDuplicateDetection: z.boolean().default(false),
  RequiresSession: z.boolean().default(false),
  ForwardTo: unsupportedForwarding('ForwardTo'),
  ForwardDeadLetteredMessagesTo: unsupportedForwarding('ForwardDeadLetteredMessagesTo'),
});

const queue = z.strictObject({
  Name: z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?$/, 'Not a valid queue name.'),
  Properties: properties.prefault({}),
});

const namespace = z.strictObject({
  Name: z.string(),
  Queues: z.array(queue).default([]),
  Topics: z.array(z.unknown()).max(0, 'The emulator does not support topics.').default([]),
});

const config = z.object({
  UserConfig: z.object({
    Namespaces: z.array(namespace).length(1, 'The emulator has exactly one namespace.'),
    Logging: z.unknown().optional(),
  }),
});

/** The official Service Bus emulator's `Config.json`. */
export type ServiceBusConfig = z.input<typeof config>;

/** Reads the declared queues; throws an error that names every value that is wrong or not supported. */
export function readQueueSettings(declared: ServiceBusConfig): QueueSettings[] {
  const result = config.safeParse(declared);
  if (!result.success) {
    throw new Error(`The Service Bus configuration is invalid.\n${z.prettifyError(result.error)}`);
  }
  const queues = result.data.UserConfig.Namespaces.flatMap(({ Queues }) => Queues);
  requireDistinctNames(queues.map(({ Name }) => Name.toLowerCase()));
  return queues.map(toSettings);
}

function requireDistinctNames(names: readonly string[]): void {
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined)
    throw new Error(`The Service Bus configuration declares the queue ${repeated} twice.`);
}

function toSettings({ Name, Properties }: z.output<typeof queue>): QueueSettings {
  const { DefaultMessageTimeToLive, DuplicateDetectionHistoryTimeWindow } = Properties;
  return {
    name: Name,
    lockDuration: Properties.LockDuration,
    maxDeliveryCount: Properties.MaxDeliveryCount,
    deadLetterOnExpiration: Properties.DeadLetteringOnMessageExpiration,
    requiresSession: Properties.RequiresSession,
    ...(DefaultMessageTimeToLive < FOREVER && { defaultTimeToLive: DefaultMessageTimeToLive }),
    ...(Properties.RequiresDuplicateDetection && {
      duplicateDetectionWindow: DuplicateDetectionHistoryTimeWindow,
    }),
  };
}
