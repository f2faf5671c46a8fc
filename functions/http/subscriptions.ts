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
import {
  checkedKeys,
  type IssuedSubscription,
  type Subscription,
  unknownSubscription,
} from '../../shared/webhooks/index.ts';
import { endpoint } from './endpoint.ts';
import { describeSubscription, subscriptionSchema } from './subscription-shape.ts';

const pointersSchema = z.array(z.string()).min(1).max(20);

const inputSchema = z.strictObject({
  name: nameSchema.describe('For people; need not be unique.'),
  key: z
    .string()
    .describe(
      'A key prefix by whole segments, such as `/app`, `/app/dm` or `/srv/web`, `/` being everything; or a pattern of whole keys, in which `*` is any part of a segment and `**` any number of segments.',
    ),
  endpoint: z.string().describe('The https URL that is called with every change.'),
  format: z.enum(['standard', 'cloudevents']).optional().describe('`standard` unless said.'),
  mode: z.enum(['structured', 'binary']).optional().describe('Of CloudEvents; `structured` unless said.'),
  types: z
    .array(z.enum(['put', 'delete', 'expire']))
    .min(1)
    .max(3)
    .optional()
    .describe('Tells of changes of these types only.'),
  changed: pointersSchema
    .optional()
    .describe('JSON Pointers: tells of a change only if the value at one of them differs.'),
  fields: pointersSchema
    .optional()
    .describe('JSON Pointers: all that is sent of the values before and after.'),
  ordered: z
    .boolean()
    .optional()
    .describe('Whether the changes of a scope are delivered one after the other.'),
  consent: z
    .boolean()
    .optional()
    .describe('Whether the endpoint is asked before it is called; by default everywhere but locally.'),
  signature: z
    .enum(['v1', 'v1a'])
    .optional()
    .describe('HMAC-SHA256 (`v1`, unless said) or ed25519; changed by rotating the secret only.'),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .describe('Further request headers: authorization, and names of your own that begin with `x-`.'),
});

const rotationSchema = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(7 * 24 * 60 * 60)
      .default(24 * 60 * 60)
      .describe('For how long older secrets sign beside the new one.'),
    signature: z.enum(['v1', 'v1a']).optional().describe('As it was unless said.'),
  })
  .prefault({});

const issuedSchema = subscriptionSchema.extend({
  secret: z.string().optional().describe('`whsec_…`, of v1. It is shown this once.'),
});

const listingSchema = z.strictObject({
  items: z.array(subscriptionSchema),
  revision: z.int().describe('Of the log that holds all subscriptions of the namespace.'),
  next: z.string().optional().describe('Cursor of the next page, for `after`.'),
});

const createSubscription = endpoint({
  name: 'createSubscription',
  method: 'POST',
  route: 'api/v1/subscriptions',
  summary: 'Has an endpoint told of all changes under a key from now on',
  access: { verb: 'write', keys: '/hook/' },
  touches: ({ body }) => [
    { verb: 'write', keys: '/hook/' },
    { verb: 'watch', keys: checkedKeys(body.key) },
  ],
  body: inputSchema,
  responses: {
    201: {
      description: 'The subscription was created.',
      body: issuedSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Location'],
    },
  },
  async handle(request, { consents, subscriptionLimit }) {
    await subscriptionLimit.check(request.ns, request.author.actor);
    const subscription = await consents.create(request.ns, request.body, request.author, request.ownUrl);
    const location = canonicalLocation(request, `subscriptions/${subscription.id}`);
    return json(201, describeIssued(subscription), { ...factsOf(subscription), location });
  },
});

const listSubscriptions = endpoint({
  name: 'listSubscriptions',
  method: 'GET',
  route: 'api/v1/subscriptions',
  summary: 'The subscriptions of a namespace, Nesoi’s hooks among them',
  access: { verb: 'list', keys: '/hook/' },
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
  missing: ({ id }) => unknownSubscription(id),
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
  touches: ({ params, body }) => [
    { verb: 'write', keys: `/hook/${params.id}` },
    { verb: 'watch', keys: checkedKeys(body.key) },
  ],
  missing: ({ id }) => unknownSubscription(id),
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
  async handle({ ns, params, body, author, ownUrl, headers }, { consents }) {
    const precondition = readPrecondition(headers);
    const subscription = await consents.replace(ns, params.id, body, author, ownUrl, precondition);
    return json(200, describeSubscription(subscription), factsOf(subscription));
  },
});

const rotateSecret = endpoint({
  name: 'rotateSubscriptionSecret',
  method: 'POST',
  route: 'api/v1/subscriptions/{id}/rotate-secret',
  summary: 'Gives a subscription a new signing secret, beside which older ones sign for a while',
  access: { verb: 'write', keys: '/hook/{id}' },
  missing: ({ id }) => unknownSubscription(id),
  body: rotationSchema,
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: {
      description: 'The new secret signs.',
      body: issuedSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
  },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params, body, author, headers }, { subscriptions }) {
    const precondition = readPrecondition(headers);
    const subscription = await subscriptions.rotateSecret(ns, params.id, body, author, precondition);
    return json(200, describeIssued(subscription), factsOf(subscription));
  },
});

const deleteSubscription = endpoint({
  name: 'deleteSubscription',
  method: 'DELETE',
  route: 'api/v1/subscriptions/{id}',
  summary: 'Removes a subscription; what was not delivered yet is dropped',
  access: { verb: 'delete', keys: '/hook/{id}' },
  missing: ({ id }) => unknownSubscription(id),
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The subscription is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found'],
  async handle({ ns, params, author, headers }, { subscriptions }) {
    return noContent({
      revision: await subscriptions.remove(ns, params.id, author, readPrecondition(headers)),
    });
  },
});

export const subscriptionEndpoints = [
  createSubscription,
  listSubscriptions,
  getSubscription,
  putSubscription,
  rotateSecret,
  deleteSubscription,
];

function describeIssued({ secret, ...subscription }: IssuedSubscription): z.output<typeof issuedSchema> {
  return { ...describeSubscription(subscription), secret };
}

function factsOf({ revision }: Subscription) {
  return { etag: revisionTag(revision), revision };
}
