import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { LOG_LEVELS } from './log.ts';
import { retryPolicySchema } from './retry.ts';
import { parseTimeSpan } from './time-span.ts';

function duration(parse: (text: string) => number | undefined) {
  return z.string().transform((text, context) => {
    const milliseconds = parse(text);
    if (milliseconds !== undefined) return milliseconds;
    context.addIssue({ code: 'custom', message: 'must be a duration such as 00:05:00' });
    return z.NEVER;
  });
}

const timeSpan = duration(parseTimeSpan);
const timeout = duration((text) => (text === '-1' ? Number.POSITIVE_INFINITY : parseTimeSpan(text)));

const MINUTES = 60_000;

const logLevel = z.string().toLowerCase().pipe(z.enum(LOG_LEVELS));

/** A limit of requests; -1 is none, and 0 is not one. */
const requestLimit = z
  .int()
  .min(-1)
  .refine((limit) => limit !== 0, 'must be positive, or -1 for no limit')
  .default(-1);

/** Keys that would change what the host does are refused rather than ignored. */
const unsupported = z.undefined('is not supported here').optional();

/** A malformed host.json is fatal in Azure too. */
export const hostJsonSchema = z.object({
  version: z.literal('2.0'),
  /** Whether the host tells of its runs by OpenTelemetry, which this one does not; but then it begins traces that are recorded. */
  telemetryMode: z.enum(['ApplicationInsights', 'OpenTelemetry']).optional(),
  functionTimeout: timeout
    .refine((milliseconds) => milliseconds >= 1000, 'must be at least one second')
    .default(30 * MINUTES),
  logging: z.object({ logLevel: z.record(z.string(), logLevel).default({}) }).prefault({}),
  retry: retryPolicySchema(timeSpan).optional(),
  /** The only functions that are run, if given. */
  functions: z.array(z.string().toLowerCase()).optional(),
  concurrency: z
    .object({ dynamicConcurrencyEnabled: z.literal(false, 'is not supported here').optional() })
    .optional(),
  extensions: z
    .object({
      http: z
        .object({
          routePrefix: z.string().default('api'),
          maxConcurrentRequests: requestLimit,
          maxOutstandingRequests: requestLimit,
          customHeaders: z.record(z.string(), z.string()).default({}),
          hsts: z.object({ isEnabled: z.literal(false, 'is not supported here').optional() }).optional(),
          chunkedTransferEnabled: z.literal(false, 'is not supported here').optional(),
        })
        .prefault({}),
      serviceBus: z
        .object({
          maxConcurrentCalls: z
            .int()
            .positive()
            .default(16 * availableParallelism()),
          maxAutoLockRenewalDuration: timeSpan.default(5 * MINUTES),
          autoCompleteMessages: z.boolean().default(true),
          maxConcurrentSessions: z.int().positive().default(8),
          maxConcurrentCallsPerSession: z.int().positive().default(1),
          sessionIdleTimeout: timeSpan.default(1 * MINUTES),
          prefetchCount: z.literal(0, 'only 0 is supported here').optional(),
          enableCrossEntityTransactions: z.literal(false, 'is not supported here').optional(),
          transportType: z.literal('amqpTcp', "only 'amqpTcp' is supported here").optional(),
          clientRetryOptions: unsupported,
          webProxy: unsupported,
        })
        .prefault({}),
    })
    .prefault({}),
});

/** host.json as this host uses it: durations in milliseconds, defaults filled in, other keys left out. */
export type HostJson = z.output<typeof hostJsonSchema>;
