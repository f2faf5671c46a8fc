import { z } from 'zod';
import {
  MAX_VERSION,
  referenceNameSchema,
  unknownBundle,
  unknownConsumer,
} from '../../../shared/bundles/index.ts';
import {
  answerRead,
  json,
  nameSchema,
  noContent,
  paging,
  revisionTag,
} from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';

const MAX_DETAIL_CHARACTERS = 1_000;

const detailSchema = z.string().max(MAX_DETAIL_CHARACTERS).describe('Why it does not work.');

const consumerSchema = z.strictObject({
  consumer: nameSchema,
  version: z.int().optional().describe('The newest that it reported to work.'),
  failed: z
    .strictObject({ version: z.int(), detail: detailSchema.optional() })
    .optional()
    .describe('The newest that it reported not to work, unless one as new did later.'),
  channel: z.string().optional().describe('The channel that it follows.'),
  at: z.iso.datetime().describe('When it said something new last.'),
  revision: z.int(),
});

const acknowledge = endpoint({
  name: 'acknowledgeVersion',
  method: 'POST',
  route: 'api/v1/bundles/{name}/acks',
  summary: 'Takes down whether a version works for a consumer; failures may call a rollout off',
  access: { verb: 'write', keys: '/bundle/{name}/consumers/' },
  touches: ({ params: { name }, body }) => [
    { verb: 'write', keys: `/bundle/${name}/consumers/${body.consumer}` },
  ],
  missing: ({ name }, ns) => unknownBundle(ns, name),
  body: z.strictObject({
    consumer: nameSchema,
    version: z.int().min(1).max(MAX_VERSION),
    ok: z.boolean().default(true),
    detail: detailSchema.optional(),
    channel: referenceNameSchema
      .optional()
      .describe('The channel that it follows: what it says counts for its rollout alone.'),
  }),
  responses: {
    200: {
      description: 'What is known of the consumer.',
      body: consumerSchema,
      headers: ['X-Skerry-Revision'],
    },
  },
  errors: ['not-found'],
  async handle({ ns, params, body, author }, { consumers }) {
    const consumer = await consumers.acknowledge(ns, params.name, body, author);
    return json(200, consumer, { revision: consumer.revision });
  },
});

const listConsumers = endpoint({
  name: 'listConsumers',
  method: 'GET',
  route: 'api/v1/bundles/{name}/consumers',
  summary: 'Who runs which version of a bundle, by the names of the consumers',
  access: { verb: 'list', keys: '/bundle/{name}/consumers/' },
  query: paging,
  requestHeaders: ['If-None-Match'],
  responses: {
    200: {
      description: 'A page of consumers.',
      body: z.strictObject({
        items: z.array(consumerSchema),
        revision: z.int().describe('Of the bundle.'),
        next: z.string().optional().describe('Cursor of the next page, for `after`.'),
      }),
      headers: ['ETag', 'X-Skerry-Revision'],
    },
    304: { description: 'The listing is as the caller knows it.', headers: ['ETag'] },
  },
  async handle({ ns, params, query, headers }, { consumers }) {
    const listing = await consumers.list(ns, params.name, query);
    const { revision } = listing;
    return answerRead(headers, { etag: revisionTag(revision), revision }, () => listing);
  },
});

const deleteConsumer = endpoint({
  name: 'deleteConsumer',
  method: 'DELETE',
  route: 'api/v1/bundles/{name}/consumers/{consumer}',
  summary: 'Forgets a consumer that is no more',
  access: { verb: 'delete', keys: '/bundle/{name}/consumers/{consumer}' },
  missing: ({ name, consumer }, ns) => unknownConsumer(ns, name, consumer),
  responses: { 204: { description: 'The consumer is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found'],
  async handle({ ns, params, author }, { consumers }) {
    return noContent({ revision: await consumers.delete(ns, params.name, params.consumer, author) });
  },
});

export const consumerEndpoints = [acknowledge, listConsumers, deleteConsumer];
