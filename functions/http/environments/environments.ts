import { z } from 'zod';
import { ENVIRONMENT_STATES, unknownEnvironment } from '../../../shared/environments/index.ts';
import { answerReadWith, json, paging } from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { environmentSchema, tagFilter } from './environment-shape.ts';

const listEnvironments = endpoint({
  name: 'listEnvironments',
  method: 'GET',
  route: 'api/v1/environments',
  summary: 'The environments of a namespace, by id',
  access: { verb: 'list', keys: '/env/' },
  query: { state: z.enum(ENVIRONMENT_STATES).optional(), tag: tagFilter, ...paging },
  responses: {
    200: {
      description: 'A page of environments; each is current for itself.',
      body: z.strictObject({
        items: z.array(environmentSchema),
        next: z.string().optional().describe('Cursor of the next page, for `after`.'),
      }),
    },
  },
  async handle({ ns, query }, { environments }) {
    const { tag, ...request } = query;
    return json(200, await environments.list(ns, { ...request, tags: tag }));
  },
});

const getEnvironment = endpoint({
  name: 'getEnvironment',
  method: 'GET',
  route: 'api/v1/environments/{id}',
  summary: 'One environment, what works on it, and how it differs from what it should be',
  access: { verb: 'read', keys: '/env/{id}' },
  missing: ({ id }, ns) => unknownEnvironment(ns, id),
  requestHeaders: ['If-None-Match'],
  responses: {
    200: {
      description:
        'The environment. The entity tag is of all that is told of it and of what waits, the revision of its scope.',
      body: environmentSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
    304: { description: 'The environment is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  async handle({ ns, params, headers }, { environments }) {
    const found = await environments.get(ns, params.id);
    if (found === undefined) {
      throw unknownEnvironment(ns, params.id);
    }
    const facts = { etag: found.tag, revision: found.revision };
    return await answerReadWith(headers, facts, async () => json(200, await found.withDrift(), facts));
  },
});

export const environmentReadEndpoints = [listEnvironments, getEnvironment];
