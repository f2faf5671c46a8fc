import { z } from 'zod';
import {
  MAX_TEMPLATE_VERSION,
  partIdSchema,
  templateDefinitionSchema,
  templateShape,
  templatesNamedBy,
  toDefinition,
  unknownTemplate,
} from '../../../shared/environments/index.ts';
import {
  answerRead,
  canonicalLocation,
  json,
  noContent,
  paging,
  readPrecondition,
  type Touch,
  wholeNumber,
} from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { factsOf } from './environment-shape.ts';

/** Bytes; room for what JSON that is written for people has beside 256 KiB of content. */
const MAX_BODY_BYTES = 512 * 1024;
const ROUTE = 'api/v1/templates/{id}';
const KEY = '/tpl/{id}';

const params = { id: partIdSchema };

const dates = { revision: z.int(), createdAt: z.iso.datetime(), updatedAt: z.iso.datetime() };

const templateSchema = z.strictObject({ id: z.string(), version: z.int(), ...templateShape, ...dates });

const summarySchema = z.strictObject({
  id: z.string(),
  version: z.int().describe('The newest.'),
  name: templateShape.name,
  description: templateShape.description,
  commit: templateShape.commit,
  tags: templateShape.tags,
  ...dates,
});

const next = z.string().optional().describe('Cursor of the next page, for `after`.');

const listTemplates = endpoint({
  name: 'listTemplates',
  method: 'GET',
  route: 'api/v1/templates',
  summary: 'The templates of a namespace, by id, without their content',
  access: { verb: 'list', keys: '/tpl/' },
  query: paging,
  responses: {
    200: {
      description: 'A page of templates.',
      body: z.strictObject({ items: z.array(summarySchema), next }),
    },
  },
  async handle({ ns, query }, { templates }) {
    return json(200, await templates.list(ns, query));
  },
});

const getTemplate = endpoint({
  name: 'getTemplate',
  method: 'GET',
  route: ROUTE,
  summary: 'A template in its newest version, or in the one that is asked for',
  access: { verb: 'read', keys: KEY },
  missing: ({ id }, ns) => unknownTemplate(ns, id),
  params,
  query: {
    version: wholeNumber({ minimum: 1, maximum: MAX_TEMPLATE_VERSION }).optional(),
  },
  requestHeaders: ['If-None-Match'],
  responses: {
    200: { description: 'The template.', body: templateSchema, headers: ['ETag', 'X-Skerry-Revision'] },
    304: { description: 'The template is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  async handle({ ns, params: { id }, query: { version }, headers }, { templates }) {
    const template = await templates.get(ns, id);
    if (template === undefined) {
      throw unknownTemplate(ns, id);
    }
    const shown = version === undefined ? template : await templates.version(ns, id, version);
    if (shown === undefined) {
      throw unknownTemplate(ns, id, version);
    }
    return answerRead(headers, factsOf(shown), () => shown);
  },
});

const listTemplateVersions = endpoint({
  name: 'listTemplateVersions',
  method: 'GET',
  route: 'api/v1/templates/{id}/versions',
  summary: 'The versions of a template, the newest first',
  access: { verb: 'list', keys: '/tpl/{id}/versions/' },
  missing: ({ id }, ns) => unknownTemplate(ns, id),
  params,
  query: paging,
  responses: {
    200: {
      description: 'A page of versions.',
      body: z.strictObject({
        items: z.array(
          z.strictObject({
            version: z.int(),
            name: templateShape.name,
            description: templateShape.description,
            commit: templateShape.commit,
            createdAt: z.iso.datetime(),
          }),
        ),
        next,
      }),
    },
  },
  errors: ['not-found'],
  async handle({ ns, params: { id }, query }, { templates }) {
    return json(200, await templates.versions(ns, id, query));
  },
});

const putTemplate = endpoint({
  name: 'putTemplate',
  method: 'PUT',
  route: ROUTE,
  summary: 'Makes the next version of a template; putting what is the newest already changes nothing',
  access: { verb: 'write', keys: KEY },
  touches: ({ params: { id }, body }) => [
    { verb: 'write', keys: `/tpl/${id}` },
    ...templatesNamedBy(id, toDefinition(body)).map(
      (other): Touch => ({ verb: 'read', keys: `/tpl/${other}` }),
    ),
  ],
  params,
  body: templateDefinitionSchema,
  maxBodyBytes: MAX_BODY_BYTES,
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: {
      description: 'The template has a new version, or stood so already.',
      body: templateSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
    201: {
      description: 'The template was created.',
      body: templateSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Location'],
    },
  },
  errors: ['unprocessable', 'too-large'],
  async handle(request, { templates }) {
    const {
      ns,
      params: { id },
      body,
      author,
      headers,
    } = request;
    const write = { author, precondition: readPrecondition(headers) };
    const { template, created } = await templates.put(ns, id, toDefinition(body), write);
    return created
      ? json(201, template, { ...factsOf(template), location: canonicalLocation(request, `templates/${id}`) })
      : json(200, template, factsOf(template));
  },
});

const deleteTemplate = endpoint({
  name: 'deleteTemplate',
  method: 'DELETE',
  route: ROUTE,
  summary: 'Removes a template that no environment uses',
  access: { verb: 'delete', keys: KEY },
  missing: ({ id }, ns) => unknownTemplate(ns, id),
  params,
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The template is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params: { id }, author, headers, caller }, { templates }) {
    const revision = await templates.delete(ns, id, {
      author,
      precondition: readPrecondition(headers),
      mayTell: (environment) => caller.may('read', ns, `/env/${environment}`),
    });
    return noContent({ revision });
  },
});

export const templateEndpoints = [
  listTemplates,
  getTemplate,
  listTemplateVersions,
  putTemplate,
  deleteTemplate,
];
