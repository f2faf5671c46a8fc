import { z } from 'zod';
import { json } from '../../shared/platform/http/index.ts';
import { endpoint } from './endpoint.ts';

/** Seconds; what stopped answering is rarely back sooner. */
const RETRY_AFTER_SECONDS = 5;

const dependencySchema = z.strictObject({
  status: z.enum(['ready', 'unready']),
  detail: z.string().optional(),
  durationMs: z.number(),
});

const readinessSchema = z.strictObject({
  status: z.enum(['ready', 'unready']),
  dependencies: z.strictObject({
    cosmos: dependencySchema,
    serviceBus: dependencySchema,
    blob: dependencySchema,
  }),
});

const live = endpoint({
  name: 'getLiveness',
  method: 'GET',
  route: 'api/v1/health/live',
  summary: 'Whether this process answers at all',
  access: 'open',
  responses: {
    200: { description: 'It does.', body: z.strictObject({ status: z.literal('live') }) },
  },
  handle: () => json(200, { status: 'live' }),
});

const ready = endpoint({
  name: 'getReadiness',
  method: 'GET',
  route: 'api/v1/health/ready',
  summary: 'Whether everything that Skerry depends on answers, asked now',
  access: 'open',
  responses: {
    200: { description: 'All dependencies answer.', body: readinessSchema },
    503: {
      description: 'At least one dependency does not answer.',
      body: readinessSchema,
      headers: ['Retry-After'],
    },
  },
  async handle(_request, { readiness }) {
    const report = await readiness.check();
    return report.status === 'ready'
      ? json(200, report)
      : json(503, report, { headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) } });
  },
});

export const healthEndpoints = [live, ready];
