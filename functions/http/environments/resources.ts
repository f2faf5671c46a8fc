import { z } from 'zod';
import { urlsSchema } from '../../../shared/environments/index.ts';
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
  resourceIdSchema,
  resourceSchema,
  tagFilter,
} from './environment-shape.ts';

const STATUSES = ['deploying', 'ok', 'failed', 'destroying'] as const;
const ROUTE = 'api/v1/resources/{environment}/{id}';
const KEY = '/env/{environment}/resources/{id}';

const shown = { body: resourceSchema, headers: ['ETag', 'X-Skerry-Revision'] } as const;

const listResources = endpoint({
  name: 'listResources',
  method: 'GET',
  route: 'api/v1/resources',
  summary: 'The resources of one environment, or of all of them, by environment and id',
  access: { verb: 'list', keys: '/env' },
  query: {
    environment: nameSchema.optional(),
    status: z.enum(STATUSES).optional(),
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
  params: { id: resourceIdSchema },
  requestHeaders: ['If-None-Match'],
  responses: {
    200: { ...shown, description: 'The resource.' },
    304: { description: 'The resource is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  async handle({ ns, params, headers }, { resources }) {
    const resource = await resources.get({ ns, ...params });
    if (resource === undefined) {
      throw resources.unknown({ ns, ...params });
    }
    return answerRead(headers, factsOf(resource), () => resource);
  },
});

const putResource = endpoint({
  name: 'putResource',
  method: 'PUT',
  route: ROUTE,
  summary: 'Writes a resource down by hand; what a template made changes by commands alone',
  access: { verb: 'write', keys: KEY },
  params: { id: handIdSchema },
  body: z.strictObject({
    name: z.string().min(1).max(200),
    description: z.string().max(2_000).optional(),
    tags: inputTagsSchema,
    count: z.int().min(0).max(1_000_000).default(1),
    status: z.enum(STATUSES).default('ok'),
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
    const { ns, params, body, author, headers } = request;
    const options = { author, precondition: readPrecondition(headers) };
    const { part, created } = await resources.write({ ns, ...params }, body, options);
    const location = canonicalLocation(request, `resources/${params.environment}/${params.id}`);
    return created ? json(201, part, { ...factsOf(part), location }) : json(200, part, factsOf(part));
  },
});

const deleteResource = endpoint({
  name: 'deleteResource',
  method: 'DELETE',
  route: ROUTE,
  summary: 'Removes a resource that was written down by hand, and that nothing depends on',
  access: { verb: 'delete', keys: KEY },
  params: { id: resourceIdSchema },
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The resource is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params, author, headers }, { resources }) {
    const options = { author, precondition: readPrecondition(headers) };
    return noContent({ revision: await resources.delete({ ns, ...params }, options) });
  },
});

export const resourceEndpoints = [listResources, getResource, putResource, deleteResource];
