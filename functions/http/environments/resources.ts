import { z } from 'zod';
import {
  partIdSchema,
  unknownEnvironment,
  unknownPart,
  urlsSchema,
} from '../../../shared/environments/index.ts';
import { json, nameSchema, paging } from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import {
  dependenciesSchema,
  inputTagsSchema,
  RESOURCE_STATUSES,
  resourceIdSchema,
  resourceSchema,
  tagFilter,
} from './environment-shape.ts';
import { answerPart, answerRemoved, answerWritten } from './part-answers.ts';

const ROUTE = 'api/v1/resources/{environment}/{id}';
const KEY = '/env/{environment}/resources/{id}';

const shown = { body: resourceSchema, headers: ['ETag', 'X-Skerry-Revision'] } as const;

const listResources = endpoint({
  name: 'listResources',
  method: 'GET',
  route: 'api/v1/resources',
  summary: 'The resources of one environment, or of all of them, by environment and id',
  access: { verb: 'list', keys: '/env/' },
  touches: ({ query: { environment } }) =>
    environment === undefined ? [] : [{ verb: 'list', keys: `/env/${environment}/resources/` }],
  query: {
    environment: nameSchema.optional(),
    status: z.enum(RESOURCE_STATUSES).optional(),
    tag: tagFilter,
    ...paging,
  },
  responses: {
    200: {
      description: 'A page of resources; each environment is current for itself.',
      body: z.strictObject({ items: z.array(resourceSchema), next: z.string().optional() }),
    },
  },
  async handle({ ns, query }, { resources }) {
    const { tag, status, ...request } = query;
    const where = status === undefined ? {} : { where: (one: { status: string }) => one.status === status };
    return json(200, await resources.list(ns, { ...request, tags: tag, ...where }));
  },
});

const getResource = endpoint({
  name: 'getResource',
  method: 'GET',
  route: ROUTE,
  summary: 'One resource of an environment',
  access: { verb: 'read', keys: KEY },
  missing: (params, ns) => unknownPart('resource', { ns, ...params }),
  params: { id: resourceIdSchema },
  requestHeaders: ['If-None-Match'],
  responses: {
    200: { ...shown, description: 'The resource.' },
    304: { description: 'The resource is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  handle: (request, { resources }) => answerPart(request, resources),
});

const putResource = endpoint({
  name: 'putResource',
  method: 'PUT',
  route: ROUTE,
  summary: 'Writes a resource down by hand; what a template made changes by commands alone',
  access: { verb: 'write', keys: KEY },
  missing: ({ environment }, ns) => unknownEnvironment(ns, environment),
  params: { id: partIdSchema },
  body: z.strictObject({
    name: z.string().min(1).max(200),
    description: z.string().max(2_000).optional(),
    tags: inputTagsSchema,
    count: z.int().min(0).max(1_000_000).default(1),
    status: z.enum(RESOURCE_STATUSES).default('ok'),
    links: z.array(z.string().min(1).max(2_000)).max(50).default([]),
    statusEndpoints: urlsSchema.default([]).describe('URLs that are asked how it is.'),
    dependencies: dependenciesSchema.default([]),
  }),
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: { ...shown, description: 'The resource was replaced, or stood so already.' },
    201: {
      description: 'The resource is written down.',
      body: resourceSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Location'],
    },
  },
  errors: ['not-found', 'conflict', 'unprocessable'],
  async handle(request, { resources }) {
    const { ns, params, body } = request;
    return await answerWritten(request, 'resources', (options) =>
      resources.write({ ns, ...params }, body, options),
    );
  },
});

const deleteResource = endpoint({
  name: 'deleteResource',
  method: 'DELETE',
  route: ROUTE,
  summary: 'Removes a resource that was written down by hand, and that nothing depends on',
  access: { verb: 'delete', keys: KEY },
  missing: ({ environment }, ns) => unknownEnvironment(ns, environment),
  params: { id: resourceIdSchema },
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The resource is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found', 'conflict'],
  handle: (request, { resources }) => answerRemoved(request, resources),
});

export const resourceEndpoints = [listResources, getResource, putResource, deleteResource];
