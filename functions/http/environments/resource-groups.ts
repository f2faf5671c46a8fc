import { z } from 'zod';
import {
  answerRead,
  canonicalLocation,
  json,
  nameSchema,
  noContent,
  paging,
  readPrecondition,
} from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import {
  dependenciesSchema,
  factsOf,
  handIdSchema,
  inputTagsSchema,
  resourceGroupSchema,
  resourceIdSchema,
  tagFilter,
} from './environment-shape.ts';

const ROUTE = 'api/v1/resource-groups/{environment}/{id}';
const KEY = '/env/{environment}/groups/{id}';

const shown = { body: resourceGroupSchema, headers: ['ETag', 'X-Skerry-Revision'] } as const;

const listResourceGroups = endpoint({
  name: 'listResourceGroups',
  method: 'GET',
  route: 'api/v1/resource-groups',
  summary: 'The resource groups of one environment, or of all of them, by environment and id',
  access: { verb: 'list', keys: '/env' },
  query: {
    environment: nameSchema.optional(),
    tag: tagFilter,
    ...paging,
  },
  responses: {
    200: {
      description: 'A page of groups; each environment is current for itself.',
      body: z.strictObject({ items: z.array(resourceGroupSchema), next: z.string().optional() }),
    },
  },
  async handle({ ns, query }, { resourceGroups }) {
    const { tag, ...request } = query;
    return json(200, await resourceGroups.list(ns, { ...request, tags: tag }));
  },
});

const getResourceGroup = endpoint({
  name: 'getResourceGroup',
  method: 'GET',
  route: ROUTE,
  summary: 'One group of an environment',
  access: { verb: 'read', keys: KEY },
  params: { id: resourceIdSchema },
  requestHeaders: ['If-None-Match'],
  responses: {
    200: { ...shown, description: 'The group.' },
    304: { description: 'The group is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  async handle({ ns, params, headers }, { resourceGroups }) {
    const group = await resourceGroups.get({ ns, ...params });
    if (group === undefined) {
      throw resourceGroups.unknown({ ns, ...params });
    }
    return answerRead(headers, factsOf(group), () => group);
  },
});

const putResourceGroup = endpoint({
  name: 'putResourceGroup',
  method: 'PUT',
  route: ROUTE,
  summary: 'Writes a group down by hand; what a template made changes by commands alone',
  access: { verb: 'write', keys: KEY },
  params: { id: handIdSchema },
  body: z.strictObject({
    name: z.string().min(1).max(200),
    tags: inputTagsSchema,
    resources: z.array(resourceIdSchema).max(2_000).describe('Resources of the environment, by their ids.'),
    dependencies: dependenciesSchema.default([]),
  }),
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: { ...shown, description: 'The group was replaced, or stood so already.' },
    201: {
      description: 'The group is written down.',
      body: resourceGroupSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Location'],
    },
  },
  errors: ['not-found', 'conflict', 'unprocessable'],
  async handle(request, { resourceGroups }) {
    const { ns, params, body, author, headers } = request;
    const options = { author, precondition: readPrecondition(headers) };
    const { part, created } = await resourceGroups.write({ ns, ...params }, body, options);
    const location = canonicalLocation(request, `resource-groups/${params.environment}/${params.id}`);
    return created ? json(201, part, { ...factsOf(part), location }) : json(200, part, factsOf(part));
  },
});

const deleteResourceGroup = endpoint({
  name: 'deleteResourceGroup',
  method: 'DELETE',
  route: ROUTE,
  summary: 'Removes a group that was written down by hand, and that nothing depends on',
  access: { verb: 'delete', keys: KEY },
  params: { id: resourceIdSchema },
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The group is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params, author, headers }, { resourceGroups }) {
    const options = { author, precondition: readPrecondition(headers) };
    return noContent({ revision: await resourceGroups.delete({ ns, ...params }, options) });
  },
});

export const resourceGroupEndpoints = [
  listResourceGroups,
  getResourceGroup,
  putResourceGroup,
  deleteResourceGroup,
];
