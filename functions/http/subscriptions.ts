import { z } from 'zod';
import {
  allowedAgeSeconds,
  answerRead,
  canonicalLocation,
  json,
  nameSchema,
  noContent,
  paging,
  readPrecondition,
  revisionTag,
} from '../../shared/platform/http/index.ts';
import type { Delivery, Subscription } from '../../shared/webhooks/index.ts';
import { endpoint } from './endpoint.ts';

const inputSchema = z.strictObject({
  name: nameSchema.describe('For people; need not be unique.'),
  key: z
    .string()
    .describe('A key prefix by whole segments, such as `/app`, `/app/dm` or `/srv/web`; `/` is everything.'),
  endpoint: z.string().describe('The https URL that is called with every change.'),
});

export const subscriptionSchema = z.strictObject({
  id: z.string(),
  name: nameSchema,
  key: z.string(),
  endpoint: z.string(),
  format: z
    .enum(['standard', 'cloudevents', 'nesoi'])
    .describe('`nesoi` for hooks that were registered on Nesoi’s surface.'),
  state: z.enum(['active', 'unconfirmed', 'paused', 'disabled']),
  revision: z.int(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});

const listingSchema = z.strictObject({
  items: z.array(subscriptionSchema),
  revision: z.int().describe('Of the log that holds all subscriptions of the namespace.'),
  next: z.string().optional().describe('Cursor of the next page, for `after`.'),
});

const deliveryStateSchema = z.enum(['pending', 'held', 'delivered', 'dead']);

const attemptSchema = z.strictObject({
  at: z.iso.datetime(),
  durationMs: z.number(),
  status: z.int().optional().describe('Of the answer, if one came.'),
  error: z.string().optional().describe('Why it failed; absent when it succeeded.'),
});

const deliverySchema = z.strictObject({
  id: z.string().describe('Sent as `webhook-id` with every attempt.'),
  subscription: z.string(),
  scope: z.string().describe('The log that the revision counts in.'),
  revision: z.int(),
  key: z.string(),
  state: deliveryStateSchema,
  reason: z.string().optional().describe('Why it is dead.'),
  createdAt: z.iso.datetime(),
  attempts: z.array(attemptSchema),
  nextAt: z.iso.datetime().optional().describe('When the next attempt is due.'),
});

const createSubscription = endpoint({
  name: 'createSubscription',
  method: 'POST',
  route: 'api/v1/subscriptions',
  summary: 'Has an endpoint told of all changes under a key from now on',
  access: { verb: 'write', keys: '/hook' },
  body: inputSchema,
  responses: {
    201: {
      description: 'The subscription was created.',
      body: subscriptionSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Location'],
    },
  },
  async handle(request, { subscriptions }) {
    const subscription = await subscriptions.create(request.ns, request.body, request.author);
    const location = canonicalLocation(request, `subscriptions/${subscription.id}`);
    return json(201, describeSubscription(subscription), { ...factsOf(subscription), location });
  },
});

const listSubscriptions = endpoint({
  name: 'listSubscriptions',
  method: 'GET',
  route: 'api/v1/subscriptions',
  summary: 'The subscriptions of a namespace, Nesoi’s hooks among them',
  access: { verb: 'list', keys: '/hook' },
  query: paging,
  requestHeaders: ['If-None-Match', 'Cache-Control'],
  responses: {
    200: {
      description: 'A page of subscriptions.',
      body: listingSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Age'],
    },
    304: { description: 'The listing is as the caller knows it.', headers: ['ETag', 'Age'] },
  },
  async handle({ ns, query, headers }, { subscriptions }) {
    const listing = await subscriptions.list(ns, { ...query, maxAgeSeconds: allowedAgeSeconds(headers) });
    const { revision, ageSeconds, next } = listing;
    const facts = { etag: revisionTag(revision), revision, ageSeconds };
    return answerRead(headers, facts, () => ({
      items: listing.subscriptions.map(describeSubscription),
      revision,
      next,
    }));
  },
});

const getSubscription = endpoint({
  name: 'getSubscription',
  method: 'GET',
  route: 'api/v1/subscriptions/{id}',
  summary: 'One subscription',
  access: { verb: 'read', keys: '/hook/{id}' },
  requestHeaders: ['If-None-Match'],
  responses: {
    200: {
      description: 'The subscription.',
      body: subscriptionSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
    304: { description: 'The subscription is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  async handle({ ns, params, headers }, { subscriptions }) {
    const subscription = await subscriptions.get(ns, params.id);
    return answerRead(headers, factsOf(subscription), () => describeSubscription(subscription));
  },
});

const putSubscription = endpoint({
  name: 'putSubscription',
  method: 'PUT',
  route: 'api/v1/subscriptions/{id}',
  summary: 'Replaces a subscription; another key makes it hear only of what changes from now on',
  access: { verb: 'write', keys: '/hook/{id}' },
  body: inputSchema,
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: {
      description: 'The subscription was replaced, or stood there already.',
      body: subscriptionSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
  },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params, body, author, headers }, { subscriptions }) {
    const subscription = await subscriptions.replace(ns, params.id, body, author, readPrecondition(headers));
    return json(200, describeSubscription(subscription), factsOf(subscription));
  },
});

const deleteSubscription = endpoint({
  name: 'deleteSubscription',
  method: 'DELETE',
  route: 'api/v1/subscriptions/{id}',
  summary: 'Removes a subscription; what was not delivered yet is dropped',
  access: { verb: 'delete', keys: '/hook/{id}' },
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The subscription is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found'],
  async handle({ ns, params, author, headers }, { subscriptions }) {
    return noContent({
      revision: await subscriptions.remove(ns, params.id, author, readPrecondition(headers)),
    });
  },
});

const listDeliveries = endpoint({
  name: 'listDeliveries',
  method: 'GET',
  route: 'api/v1/subscriptions/{id}/deliveries',
  summary: 'What became of the changes that a subscription was to be told of, the newest first',
  access: { verb: 'list', keys: '/hook/{id}' },
  query: { ...paging, state: deliveryStateSchema.optional() },
  responses: {
    200: {
      description: 'A page of deliveries. Those that are done stay listed for 30 days.',
      body: z.strictObject({ items: z.array(deliverySchema), next: listingSchema.shape.next }),
    },
  },
  errors: ['not-found'],
  async handle({ ns, params, query }, { deliveries }) {
    const listing = await deliveries.list(ns, params.id, query);
    return json(200, { items: listing.deliveries.map(toDeliveryItem), next: listing.next });
  },
});

export const subscriptionEndpoints = [
  createSubscription,
  listSubscriptions,
  getSubscription,
  putSubscription,
  deleteSubscription,
  listDeliveries,
];

export function describeSubscription(subscription: Subscription): z.output<typeof subscriptionSchema> {
  const { id, name, key, endpoint, format, state, revision, createdAt, updatedAt } = subscription;
  return { id, name, key, endpoint, format, state, revision, createdAt, updatedAt };
}

function toDeliveryItem({ ns: _, ...delivery }: Delivery) {
  return delivery;
}

function factsOf({ revision }: Subscription) {
  return { etag: revisionTag(revision), revision };
}
