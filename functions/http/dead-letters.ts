import { z } from 'zod';
import { invalid } from '../../shared/platform/errors.ts';
import { flag, json, nameSchema, paging } from '../../shared/platform/http/index.ts';
import type { BrokerDeadLetter, DeadLetterChoice } from '../../shared/webhooks/index.ts';
import { deliverySchema, describeListed } from './deliveries.ts';
import { endpoint } from './endpoint.ts';

const MAX_IDS = 100;

const route = 'api/v1/dead-letters';

const queueSchema = z
  .literal('deliveries')
  .optional()
  .describe('The messages that the broker itself gave up, instead: only unexpected faults bring one there.');

const messageSchema = z.strictObject({
  sequenceNumber: z.string(),
  messageId: z.string().optional(),
  enqueuedAt: z.iso.datetime().optional(),
  reason: z.string().optional(),
  description: z.string().optional(),
  body: z.unknown(),
});

const listDeadLetters = endpoint({
  name: 'listDeadLetters',
  method: 'GET',
  route,
  summary:
    'Deliveries that nobody tries any more, the newest first, also those to subscriptions that are gone',
  access: { verb: 'list', keys: '/hook/' },
  touches: ({ query }) => [
    { verb: 'list', keys: hooks(query.subscription) },
    // The broker's messages tell of keys of every kind.
    ...(query.queue === undefined ? [] : [{ verb: 'read', keys: '/' } as const]),
  ],
  query: { ...paging, subscription: nameSchema.optional(), queue: queueSchema },
  responses: {
    200: {
      description: 'A page of them.',
      body: z.strictObject({
        items: z.array(z.union([deliverySchema, messageSchema])),
        next: z.string().optional().describe('Cursor of the next page, for `after`.'),
      }),
    },
  },
  async handle({ ns, query, caller }, { deadLetters, brokerDeadLetters }) {
    const { queue, ...request } = query;
    if (queue !== undefined) {
      checkWholeQueue(request.subscription === undefined);
      const { messages, next } = await brokerDeadLetters.peek(ns, request);
      return json(200, { items: messages satisfies readonly BrokerDeadLetter[], next });
    }
    const { deliveries, next } = await deadLetters.list(ns, request);
    return json(200, { items: deliveries.map(({ delivery }) => describeListed(delivery, caller)), next });
  },
});

const replayDeadLetters = endpoint({
  name: 'replayDeadLetters',
  method: 'POST',
  route,
  summary: 'Has dead deliveries made again, under the same `webhook-id`',
  access: { verb: 'write', keys: '/hook/' },
  touches: ({ body }) =>
    (body.ids ?? [body]).map(({ subscription }) => ({ verb: 'write', keys: hooks(subscription) })),
  body: z.strictObject({
    ids: z
      .array(z.strictObject({ subscription: nameSchema, id: nameSchema }))
      .min(1)
      .max(MAX_IDS)
      .optional()
      .describe('These deliveries.'),
    subscription: nameSchema.optional().describe('All of a subscription.'),
    all: z.literal(true).optional().describe('All of the namespace.'),
    after: paging.after,
    queue: queueSchema,
  }),
  responses: {
    202: {
      description: 'They are enqueued: at most 500 at a time.',
      body: z.union([
        z.strictObject({
          replayed: z.int(),
          skipped: z.array(
            z.strictObject({ subscription: z.string(), deliveries: z.int(), reason: z.string() }),
          ),
          next: z.string().optional().describe('There are more: call again with it as `after`.'),
        }),
        z.strictObject({ drained: z.int(), more: z.boolean().describe('Whether to call again.') }),
      ]),
    },
  },
  async handle({ ns, body }, { deadLetters, brokerDeadLetters }) {
    const { queue, ids, subscription, all, after } = body;
    if (queue !== undefined) {
      checkWholeQueue(ids === undefined && subscription === undefined);
      const { count, more } = await brokerDeadLetters.drain(ns);
      return json(202, { drained: count, more });
    }
    const replayed = await deadLetters.replay(ns, choose({ ids, subscription, all, after }));
    return json(202, replayed);
  },
});

const purgeDeadLetters = endpoint({
  name: 'purgeDeadLetters',
  method: 'DELETE',
  route,
  summary: 'Removes dead deliveries for good',
  access: { verb: 'delete', keys: '/hook/' },
  touches: ({ query }) => [{ verb: 'delete', keys: hooks(query.subscription) }],
  query: { subscription: nameSchema.optional(), all: flag(), queue: queueSchema },
  responses: {
    200: {
      description: 'They are gone: at most 500 at a time.',
      body: z.strictObject({ purged: z.int(), more: z.boolean().describe('Whether to call again.') }),
    },
  },
  async handle({ ns, query }, { deadLetters, brokerDeadLetters }) {
    const { queue, subscription, all } = query;
    if (queue !== undefined) {
      checkWholeQueue(subscription === undefined);
      const { count, more } = await brokerDeadLetters.purge(ns);
      return json(200, { purged: count, more });
    }
    return json(200, await deadLetters.purge(ns, choose({ subscription, all })));
  },
});

export const deadLetterEndpoints = [listDeadLetters, replayDeadLetters, purgeDeadLetters];

/** The one subscription that is meant, or all. */
function hooks(subscription: string | undefined): string {
  return subscription === undefined ? '/hook/' : `/hook/${subscription}`;
}

interface Choice {
  readonly ids?: readonly { readonly subscription: string; readonly id: string }[] | undefined;
  readonly subscription?: string | undefined;
  readonly all?: boolean | undefined;
  readonly after?: string | undefined;
}

function choose({ ids, subscription, all = false, after }: Choice): DeadLetterChoice {
  const given = [ids !== undefined, subscription !== undefined, all].filter(Boolean);
  if (given.length !== 1) {
    throw invalid('It is not said which dead letters are meant.', {
      field: 'subscription',
      fix: 'Give "all", a "subscription" or, in a body, "ids": one of them alone.',
    });
  }
  return ids === undefined ? { subscription, after } : { ids };
}

function checkWholeQueue(isWhole: boolean): void {
  if (!isWhole) {
    throw invalid('The messages of a queue cannot be chosen from.', {
      field: 'queue',
      fix: 'Leave out "subscription" and "ids", or "queue".',
    });
  }
}
