import { z } from 'zod';
import { type Caller, json, paging } from '../../shared/platform/http/index.ts';
import { type Delivery, unknownDelivery, unknownSubscription } from '../../shared/webhooks/index.ts';
import { endpoint } from './endpoint.ts';

const stateSchema = z.enum(['pending', 'held', 'delivered', 'dead']);

const attemptSchema = z.strictObject({
  at: z.iso.datetime(),
  durationMs: z.number(),
  status: z.int().optional().describe('Of the answer, if one came.'),
  error: z.string().optional().describe('Why it failed; absent when it succeeded.'),
});

/** As it is listed. */
export const deliverySchema = z.strictObject({
  id: z.string().describe('Sent as `webhook-id` with every attempt.'),
  subscription: z.string(),
  scope: z
    .string()
    .describe('The log that the revision counts in; empty where the caller may not read the key.'),
  revision: z.int(),
  key: z.string().describe('Empty where the caller may not read it.'),
  state: stateSchema.describe('`held` until the subscription is active again.'),
  reason: z.string().optional().describe('Why it is dead or held.'),
  createdAt: z.iso.datetime(),
  attempts: z.array(attemptSchema).describe('The newest 50.'),
  replays: z.int().optional().describe('How often it was made again, because somebody asked for it.'),
  earlierAttempts: z
    .int()
    .optional()
    .describe('How many of the attempts were made before the newest replay.'),
  nextAt: z.iso.datetime().optional().describe('When the next attempt is due at the earliest.'),
});

const wholeDeliverySchema = deliverySchema.extend({
  lastResponse: z.string().optional().describe('Body of the last answer, at most 20,000 bytes of it.'),
});

/** Only a delivery that is shown alone holds what the endpoint answered. */
export function describeListed(delivery: Delivery, caller: Caller) {
  const { lastResponse: _, ...listed } = describeWhole(delivery, caller);
  return listed;
}

/** Nobody learns here of keys that they may not read; the answer of an endpoint may tell of what it was sent. */
function describeWhole({ ns, lastResponse, ...delivery }: Delivery, caller: Caller) {
  return caller.may('read', ns, delivery.key)
    ? { ...delivery, ...(lastResponse !== undefined && { lastResponse }) }
    : { ...delivery, scope: '', key: '' };
}

const listDeliveries = endpoint({
  name: 'listDeliveries',
  method: 'GET',
  route: 'api/v1/subscriptions/{id}/deliveries',
  summary: 'What became of the changes that a subscription was to be told of, the newest first',
  access: { verb: 'list', keys: '/hook/{id}' },
  missing: ({ id }) => unknownSubscription(id),
  query: { ...paging, state: stateSchema.optional() },
  responses: {
    200: {
      description: 'A page of deliveries. Those that are done stay listed for 30 days.',
      body: z.strictObject({
        items: z.array(deliverySchema),
        next: z.string().optional().describe('Cursor of the next page, for `after`.'),
      }),
    },
  },
  errors: ['not-found'],
  async handle({ ns, params, query, caller }, { deliveries, nextAttempts }) {
    const listing = await deliveries.list(ns, params.id, query);
    const told = await nextAttempts.tell(ns, params.id, listing.deliveries);
    return json(200, { items: told.map((delivery) => describeListed(delivery, caller)), next: listing.next });
  },
});

const getDelivery = endpoint({
  name: 'getDelivery',
  method: 'GET',
  route: 'api/v1/subscriptions/{id}/deliveries/{delivery}',
  summary: 'One delivery, with what the endpoint answered last',
  access: { verb: 'read', keys: '/hook/{id}' },
  missing: ({ id, delivery }) => unknownDelivery(id, delivery),
  responses: { 200: { description: 'The delivery.', body: wholeDeliverySchema } },
  errors: ['not-found'],
  async handle({ ns, params, caller }, { repair, nextAttempts }) {
    const delivery = await repair.get(ns, params.id, params.delivery);
    const [told = delivery] = await nextAttempts.tell(ns, params.id, [delivery]);
    return json(200, describeWhole(told, caller));
  },
});

const retryDelivery = endpoint({
  name: 'retryDelivery',
  method: 'POST',
  route: 'api/v1/subscriptions/{id}/deliveries/{delivery}/retry',
  summary: 'Makes a delivery again at once, whatever became of it, under the same `webhook-id`',
  access: { verb: 'write', keys: '/hook/{id}' },
  missing: ({ id, delivery }) => unknownDelivery(id, delivery),
  responses: {
    202: { description: 'It will be made. The delivery, as it was before.', body: wholeDeliverySchema },
  },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params, caller }, { repair }) {
    return json(202, describeWhole(await repair.retry(ns, params.id, params.delivery), caller));
  },
});

export const deliveryEndpoints = [listDeliveries, getDelivery, retryDelivery];
