import { z } from 'zod';
import { json, revisionTag } from '../../shared/platform/http/index.ts';
import { type Subscription, unknownSubscription } from '../../shared/webhooks/index.ts';
import { endpoint } from './endpoint.ts';
import { describeSubscription, subscriptionSchema } from './subscription-shape.ts';

const answeredSubscription = {
  description: 'The subscription.',
  body: subscriptionSchema,
  headers: ['ETag', 'X-Skerry-Revision'],
} as const;

const pauseSubscription = endpoint({
  name: 'pauseSubscription',
  method: 'POST',
  route: 'api/v1/subscriptions/{id}/pause',
  summary: 'Calls the endpoint no more until the subscription is resumed; what changes meanwhile is kept',
  access: { verb: 'write', keys: '/hook/{id}' },
  missing: ({ id }) => unknownSubscription(id),
  responses: { 200: answeredSubscription },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params, author }, { activation }) {
    return answer(await activation.pause(ns, params.id, author));
  },
});

const resumeSubscription = endpoint({
  name: 'resumeSubscription',
  method: 'POST',
  route: 'api/v1/subscriptions/{id}/resume',
  summary: 'Makes a paused or disabled subscription active, which is then told of all that it missed',
  access: { verb: 'write', keys: '/hook/{id}' },
  missing: ({ id }) => unknownSubscription(id),
  responses: { 200: answeredSubscription },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params, author }, { activation }) {
    return answer(await activation.resume(ns, params.id, author));
  },
});

const recoverDeliveries = endpoint({
  name: 'recoverDeliveries',
  method: 'POST',
  route: 'api/v1/subscriptions/{id}/recover',
  summary: 'Has everything delivered that changed since a time and was not delivered',
  access: { verb: 'write', keys: '/hook/{id}' },
  missing: ({ id }) => unknownSubscription(id),
  body: z.strictObject({
    since: z.iso
      .datetime({ offset: true, error: 'must be a time such as 2026-11-26T12:00:00Z' })
      .describe('Changes of that time or later; may be before the subscription, as far as there is history.'),
  }),
  responses: {
    202: {
      description: 'It is gone through the history, and what is found is enqueued.',
      body: z.strictObject({ run: z.string().describe('Id of the recovery.') }),
    },
  },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params, body }, { repair }) {
    return json(202, { run: await repair.recover(ns, params.id, body.since) });
  },
});

const testSubscription = endpoint({
  name: 'testSubscription',
  method: 'POST',
  route: 'api/v1/subscriptions/{id}/test',
  summary: 'Calls the endpoint with an event that tells of no change, and tells what it answered',
  access: { verb: 'write', keys: '/hook/{id}' },
  missing: ({ id }) => unknownSubscription(id),
  responses: {
    200: {
      description: 'How the call ended, with whatever status.',
      body: z.strictObject({
        status: z.int().optional().describe('Of the answer, if one came.'),
        durationMs: z.number(),
        error: z.string().optional().describe('Why it failed; absent when it succeeded.'),
        response: z.string().optional().describe('Body of the answer, at most 20,000 bytes of it.'),
      }),
    },
  },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params }, { endpointTest }) {
    return json(200, await endpointTest.run(ns, params.id));
  },
});

const percentilesSchema = z
  .strictObject({ p50: z.number().optional(), p99: z.number().optional() })
  .describe('In milliseconds; empty where nothing was measured.');

const getStatistics = endpoint({
  name: 'getSubscriptionStatistics',
  method: 'GET',
  route: 'api/v1/subscriptions/{id}/statistics',
  summary: 'How the deliveries of a subscription go, and how its endpoint is',
  access: { verb: 'read', keys: '/hook/{id}' },
  missing: ({ id }) => unknownSubscription(id),
  responses: {
    200: {
      description: 'Counted when it is asked for.',
      body: z.strictObject({
        states: z.strictObject({ pending: z.int(), held: z.int(), delivered: z.int(), dead: z.int() }),
        endpoint: z.strictObject({
          state: z
            .enum(['healthy', 'failing', 'open', 'disabled'])
            .describe('`open`: not called until `openUntil`; `disabled`: until the subscription is resumed.'),
          failures: z.int().describe('In a row.'),
          failingSince: z.iso.datetime().optional(),
          openUntil: z.iso.datetime().optional(),
          disablesAt: z.iso.datetime().optional().describe('Should nothing but failures follow.'),
          ratePerMinute: z.int().optional().describe('What the endpoint allows.'),
        }),
        latest: z
          .strictObject({
            deliveries: z.int(),
            delivered: z.int(),
            successRate: z.number().optional().describe('Share of the attempts that succeeded.'),
            durationMs: percentilesSchema,
            lagMs: percentilesSchema,
          })
          .describe(
            'Of the newest 200 deliveries: `durationMs` of attempts, `lagMs` until the endpoint had it.',
          ),
      }),
    },
  },
  errors: ['not-found'],
  async handle({ ns, params }, { statistics }) {
    return json(200, await statistics.of(ns, params.id));
  },
});

export const webhookOperationEndpoints = [
  pauseSubscription,
  resumeSubscription,
  recoverDeliveries,
  testSubscription,
  getStatistics,
];

function answer(subscription: Subscription) {
  const { revision } = subscription;
  return json(200, describeSubscription(subscription), { etag: revisionTag(revision), revision });
}
