import { z } from 'zod';
import { partIdSchema, unknownEnvironment, unknownPart } from '../../../shared/environments/index.ts';
import { json, nameSchema, paging } from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import {
  dependenciesSchema,
  inputTagsSchema,
  resourceGroupSchema,
  resourceIdSchema,
  tagFilter,
} from './environment-shape.ts';
import { answerPart, answerRemoved, answerWritten } from './part-answers.ts';

const ROUTE = 'api/v1/resource-groups/{environment}/{id}';
const KEY = '/env/{environment}/groups/{id}';

const shown = { body: resourceGroupSchema, headers: ['ETag', 'X-Skerry-Revision'] } as const;

const listResourceGroups = endpoint({
  name: 'listResourceGroups',
  method: 'GET',
  route: 'api/v1/resource-groups',
  summary: 'The resource groups of one environment, or of all of them, by environment and id',
  access: { verb: 'list', keys: '/env/' },
  touches: ({ query: { environment } }) =>
    environment === undefined ? [] : [{ verb: 'list', keys: `/env/${environment}/groups/` }],
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
  missing: (params, ns) => unknownPart('resource group', { ns, ...params }),
  params: { id: resourceIdSchema },
  requestHeaders: ['If-None-Match'],
  responses: {
    200: { ...shown, description: 'The group.' },
    304: { description: 'The group is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  handle: (request, { resourceGroups }) => answerPart(request, resourceGroups),
});

const putResourceGroup = endpoint({
  name: 'putResourceGroup',
  method: 'PUT',
  route: ROUTE,
  summary: 'Writes a group down by hand; what a template made changes by commands alone',
  access: { verb: 'write', keys: KEY },
  missing: ({ environment }, ns) => unknownEnvironment(ns, environment),
  params: { id: partIdSchema },
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
    const { ns, params, body } = request;
    return await answerWritten(request, 'resource-groups', (options) =>
      resourceGroups.write({ ns, ...params }, body, options),
    );
  },
});

const deleteResourceGroup = endpoint({
  name: 'deleteResourceGroup',
  method: 'DELETE',
  route: ROUTE,
  summary: 'Removes a group that was written down by hand, and that nothing depends on',
  access: { verb: 'delete', keys: KEY },
  missing: ({ environment }, ns) => unknownEnvironment(ns, environment),
  params: { id: resourceIdSchema },
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The group is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found', 'conflict'],
  handle: (request, { resourceGroups }) => answerRemoved(request, resourceGroups),
});

export const resourceGroupEndpoints = [
  listResourceGroups,
  getResourceGroup,
  putResourceGroup,
  deleteResourceGroup,
];
