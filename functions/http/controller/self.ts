import { z } from 'zod';
import type { HttpResponse } from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { buildFacts } from './build-facts.ts';
import { controllerAnswer, controllerForm, controllerRefusal } from './controller-answer.ts';
import {
  askHealth,
  infoResponse,
  livelinessResponse,
  pingResponse,
  readinessResponse,
  startedResponse,
} from './self-answers.ts';

/** Milliseconds since the Unix epoch. */
const STARTED_AT = Date.now() - 1000 * process.uptime();

const time = z.string().describe('RFC 3339.');
const status = z.enum(['success', 'failed']);
const summarySchema = z.strictObject({
  checks: z.array(z.strictObject({ name: z.string(), status })),
  status,
  time,
});
const detailedSchema = z.strictObject({
  ...summarySchema.shape,
  checks: z.array(z.strictObject({ description: z.string(), name: z.string(), status, timestamp: time })),
});

const selfForm = {
  method: 'GET',
  access: 'open',
  surface: 'legacy',
  requestHeaders: ['Accept'],
  errors: ['unsupported-media-type'],
  showRefusal: controllerRefusal,
} as const;

export const selfEndpoints = [
  endpoint({
    ...selfForm,
    name: 'controllerInfo',
    route: 'api/v1/self/info',
    summary: "The controller's facts about its build",
    responses: {
      200: {
        description: 'What runs here.',
        body: z.strictObject({ buildtime: time, revision: z.string(), version: z.string() }),
      },
    },
    handle({ headers }) {
      return controllerAnswer(controllerForm(headers), 200, infoResponse(buildFacts()));
    },
  }),
  endpoint({
    ...selfForm,
    name: 'controllerPing',
    route: 'api/v1/self/ping',
    summary: "The controller's sign of life",
    responses: { 200: { description: 'A pong.', body: z.strictObject({ response: z.string() }) } },
    handle({ headers }, { clock }) {
      return controllerAnswer(controllerForm(headers), 200, pingResponse(clock.now()));
    },
  }),
  endpoint({
    ...selfForm,
    name: 'controllerLiveliness',
    route: 'api/v1/self/liveliness',
    summary: "The controller's liveliness probe, asked now",
    query: {
      type: z.string().optional().describe('`detailed` tells what was found and when; else it is `summary`.'),
    },
    responses: {
      200: { description: 'All is well.', body: z.union([summarySchema, detailedSchema]) },
      500: { description: 'Something is not.', body: z.union([summarySchema, detailedSchema]) },
    },
    async handle({ headers, query }, { readiness, clock }) {
      const form = controllerForm(headers);
      const health = await askHealth(
        () => readiness.check(),
        () => clock.now(),
      );
      // Who learns nothing of single checks gets no list of their details either.
      const isDetailed = query.type === 'detailed' && health.checks.length > 0;
      const answer = livelinessResponse(health, clock.now(), isDetailed);
      return controllerAnswer(form, health.isHealthy ? 200 : 500, answer);
    },
  }),
  endpoint({
    ...selfForm,
    name: 'controllerReadiness',
    route: 'api/v1/self/readiness',
    summary: "The controller's readiness probe: whether all that it depends on answers, asked now",
    responses: {
      200: { description: 'It can work.', body: summarySchema },
      500: { description: 'It cannot.', body: summarySchema },
    },
    async handle({ headers }, { readiness, clock }) {
      const form = controllerForm(headers);
      const health = await askHealth(
        () => readiness.check(),
        () => clock.now(),
      );
      return controllerAnswer(form, health.isHealthy ? 200 : 500, readinessResponse(health, clock.now()));
    },
  }),
  endpoint({
    ...selfForm,
    name: 'controllerStarted',
    route: 'api/v1/self/started',
    summary: 'Since when this process runs; it does not answer before it has read its settings',
    responses: { 200: { description: 'Since then.', body: z.strictObject({ time }) } },
    handle({ headers }): HttpResponse {
      return controllerAnswer(controllerForm(headers), 200, startedResponse(STARTED_AT));
    },
  }),
];
