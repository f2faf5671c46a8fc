import { z } from 'zod';
import {
  type Channel,
  type RolloutMove,
  referenceInBodySchema,
  referenceNameSchema,
  strategySchema,
  unknownBundle,
  unknownChannel,
} from '../../../shared/bundles/index.ts';
import {
  answerRead,
  canonicalLocation,
  json,
  noContent,
  readPrecondition,
  revisionTag,
} from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { channelSchema, gatesSchema } from './channel-shape.ts';
import { readsVersions } from './version-shape.ts';

const CHANNEL_KEY = '/bundle/{name}/channels/{channel}';

const params = { channel: referenceNameSchema };

const listChannels = endpoint({
  name: 'listChannels',
  method: 'GET',
  route: 'api/v1/bundles/{name}/channels',
  summary: 'The channels of a bundle, by name',
  access: { verb: 'list', keys: '/bundle/{name}/channels/' },
  requestHeaders: ['If-None-Match'],
  responses: {
    200: {
      description: 'All channels.',
      body: z.strictObject({ items: z.array(channelSchema), revision: z.int().describe('Of the bundle.') }),
      headers: ['ETag', 'X-Skerry-Revision'],
    },
    304: { description: 'The listing is as the caller knows it.', headers: ['ETag'] },
  },
  async handle({ ns, params: { name }, headers }, { channels }) {
    const { items, revision } = await channels.list(ns, name);
    return answerRead(headers, { etag: revisionTag(revision), revision }, () => ({ items, revision }));
  },
});

const getChannel = endpoint({
  name: 'getChannel',
  method: 'GET',
  route: 'api/v1/bundles/{name}/channels/{channel}',
  summary: 'The version that a channel stands for, and how its rollout goes',
  access: { verb: 'read', keys: CHANNEL_KEY },
  missing: ({ name, channel }, ns) => unknownChannel({ ns, name, channel }),
  params,
  requestHeaders: ['If-None-Match'],
  responses: {
    200: { description: 'The channel.', body: channelSchema, headers: ['ETag', 'X-Skerry-Revision'] },
    304: { description: 'The channel is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  async handle({ ns, params: { name, channel }, headers }, { channels }) {
    const found = await channels.get({ ns, name, channel });
    return answerRead(headers, factsOf(found), () => found);
  },
});

const putChannel = endpoint({
  name: 'putChannel',
  method: 'PUT',
  route: 'api/v1/bundles/{name}/channels/{channel}',
  summary: 'Lets a channel stand for a version that passes its gates, at once or step by step',
  access: { verb: 'write', keys: CHANNEL_KEY },
  touches: ({ params: { name, channel }, body }) => [
    { verb: 'write', keys: `/bundle/${name}/channels/${channel}` },
    ...readsVersions(name, [body.version]),
  ],
  missing: ({ name }, ns) => unknownBundle(ns, name),
  params,
  body: z.strictObject({
    version: referenceInBodySchema,
    strategy: strategySchema
      .optional()
      .describe('Hands the version out step by step; without it everybody gets it at once.'),
    gates: gatesSchema
      .nullable()
      .optional()
      .describe('Replaces the gates, with null removes them; without it they stay.'),
  }),
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: {
      description: 'The channel was changed, or stood so already.',
      body: channelSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
    201: {
      description: 'The channel was created.',
      body: channelSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Location'],
    },
  },
  errors: ['not-found', 'unprocessable'],
  async handle(request, { channels }) {
    const { ns, params: address, body, author, headers, ownUrl } = request;
    const { channel, created } = await channels.put({ ns, ...address }, body, {
      author,
      precondition: readPrecondition(headers),
      ownUrl,
    });
    const facts = factsOf(channel);
    return created
      ? json(201, channel, {
          ...facts,
          location: canonicalLocation(request, `bundles/${address.name}/channels/${address.channel}`),
        })
      : json(200, channel, facts);
  },
});

const deleteChannel = endpoint({
  name: 'deleteChannel',
  method: 'DELETE',
  route: 'api/v1/bundles/{name}/channels/{channel}',
  summary: 'Removes a channel, and ends its rollout',
  access: { verb: 'delete', keys: CHANNEL_KEY },
  missing: ({ name, channel }, ns) => unknownChannel({ ns, name, channel }),
  params,
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The channel is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found'],
  async handle({ ns, params: { name, channel }, author, headers }, { channels }) {
    const write = { author, precondition: readPrecondition(headers) };
    return noContent({ revision: await channels.delete({ ns, name, channel }, write) });
  },
});

function moveEndpoint(move: RolloutMove, summary: string) {
  return endpoint({
    name: `${move}Rollout`,
    method: 'POST',
    route: `api/v1/bundles/{name}/channels/{channel}/${move}` as const,
    summary,
    access: { verb: 'write', keys: CHANNEL_KEY },
    missing: ({ name, channel }, ns) => unknownChannel({ ns, name, channel }),
    params,
    responses: {
      200: {
        description: 'The channel as it stands after that.',
        body: channelSchema,
        headers: ['ETag', 'X-Skerry-Revision'],
      },
    },
    errors: ['not-found', 'conflict'],
    async handle({ ns, params: address, author }, { channels }) {
      const channel = await channels.move({ ns, ...address }, move, author);
      return json(200, channel, factsOf(channel));
    },
  });
}

export const channelEndpoints = [
  listChannels,
  getChannel,
  putChannel,
  deleteChannel,
  moveEndpoint('pause', 'Holds a rollout: who has the new version keeps it, and nobody else gets it'),
  moveEndpoint('resume', 'Lets a paused rollout go on'),
  moveEndpoint('abort', 'Ends a rollout: everybody has the old version again'),
];

function factsOf({ revision }: Channel) {
  return { etag: revisionTag(revision), revision };
}
