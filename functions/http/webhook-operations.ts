import { json, revisionTag } from '../../shared/platform/http/index.ts';
import type { Subscription } from '../../shared/webhooks/index.ts';
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
  responses: { 200: answeredSubscription },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params, author }, { activation }) {
    return answer(await activation.resume(ns, params.id, author));
  },
});

export const webhookOperationEndpoints = [pauseSubscription, resumeSubscription];

function answer(subscription: Subscription) {
  const { revision } = subscription;
  return json(200, describeSubscription(subscription), { etag: revisionTag(revision), revision });
}
