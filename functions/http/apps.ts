import { z } from 'zod';
import { type Application, unknownApplication } from '../../shared/config/index.ts';
import {
  allowedAgeSeconds,
  answerRead,
  canonicalLocation,
  flag,
  json,
  nameSchema,
  noContent,
  paging,
  readPrecondition,
  revisionTag,
} from '../../shared/platform/http/index.ts';
import { endpoint } from './endpoint.ts';
import { jsonValueSchema } from './json-value.ts';

const schemaSchema = z
  .union([z.boolean(), z.record(z.string(), jsonValueSchema)], 'must be an object, true or false')
  .describe('A JSON Schema (2020-12) that `config` must satisfy.');

const extraSchema = z.record(z.string(), jsonValueSchema);

const inputSchema = z.strictObject({
  config: jsonValueSchema,
  schema: schemaSchema.optional(),
  extra: extraSchema
    .optional()
    .describe('Fields of other surfaces; they stay as they are when it is left out.'),
});

const applicationSchema = z.strictObject({
  name: nameSchema,
  config: jsonValueSchema,
  schema: schemaSchema.optional(),
  extra: extraSchema.optional(),
  revision: z.int(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});

const listingSchema = z.strictObject({
  items: z.array(applicationSchema),
  revision: z.int().describe('Of the log that holds all applications of the namespace.'),
  next: z.string().optional().describe('Cursor of the next page, for `after`.'),
});

const listApps = endpoint({
  name: 'listApps',
  method: 'GET',
  route: 'api/v1/apps',
  summary: 'The applications of a namespace, by name',
  access: { verb: 'list', keys: '/app/' },
  query: paging,
  requestHeaders: ['If-None-Match', 'Cache-Control'],
  responses: {
    200: {
      description: 'A page of applications.',
      body: listingSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Age'],
    },
    304: { description: 'The listing is as the caller knows it.', headers: ['ETag', 'Age'] },
  },
  async handle({ ns, query, headers }, { applications }) {
    const listing = await applications.list(ns, { ...query, maxAgeSeconds: allowedAgeSeconds(headers) });
    const { applications: items, revision, ageSeconds, next } = listing;
    const facts = { etag: revisionTag(revision), revision, ageSeconds };
    return answerRead(headers, facts, () => ({ items, revision, next }));
  },
});

const getApp = endpoint({
  name: 'getApp',
  method: 'GET',
  route: 'api/v1/apps/{name}',
  summary:
    'One application; with its secrets in clear, never to be kept by anything on the way, for those who may see them',
  access: { verb: 'read', keys: '/app/{name}' },
  missing: ({ name }, ns) => unknownApplication(ns, name),
  touches({ params, query }) {
    const keys = `/app/${params.name}`;
    return [{ verb: 'read', keys }, ...(query.secrets ? [{ verb: 'reveal', keys } as const] : [])];
  },
  query: {
    secrets: flag().describe(
      'Whether `config` has secrets and references to Key Vault replaced by what they stand for. Do not write it back like that.',
    ),
  },
  requestHeaders: ['If-None-Match'],
  responses: {
    200: {
      description: 'The application.',
      body: applicationSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
    304: { description: 'The application is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found', 'unprocessable'],
  async handle({ ns, params, query, headers, caller, clientAddress }, { applications, accessLog }) {
    const application = await applications.get(ns, params.name);
    if (application === undefined) {
      throw unknownApplication(ns, params.name);
    }
    if (query.secrets) {
      // No entity tag: what a reference stands for changes without the application.
      const { revision } = application;
      const headers = { 'Cache-Control': 'no-store' };
      const revealed = await applications.reveal(ns, application);
      const key = `/app/${params.name}`;
      await accessLog.revealed({ caller, clientAddress, endpoint: 'getApp', ns, key });
      return json(200, revealed, { revision, headers });
    }
    return answerRead(headers, factsOf(application), () => application);
  },
});

const putApp = endpoint({
  name: 'putApp',
  method: 'PUT',
  route: 'api/v1/apps/{name}',
  summary: 'Creates or replaces an application; storing what stands there already changes nothing',
  access: { verb: 'write', keys: '/app/{name}' },
  body: inputSchema,
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: {
      description: 'The application was replaced, or stood there already.',
      body: applicationSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
    201: {
      description: 'The application was created.',
      body: applicationSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Location'],
    },
  },
  errors: ['unprocessable'],
  async handle(request, { applications }) {
    const { ns, params, body, author, headers } = request;
    const { application, created } = await applications.put(
      ns,
      params.name,
      { config: body.config, schema: body.schema, extra: body.extra },
      { author, precondition: readPrecondition(headers) },
    );
    const facts = factsOf(application);
    return created
      ? json(201, application, { ...facts, location: canonicalLocation(request, `apps/${params.name}`) })
      : json(200, application, facts);
  },
});

const deleteApp = endpoint({
  name: 'deleteApp',
  method: 'DELETE',
  route: 'api/v1/apps/{name}',
  summary: 'Removes an application',
  access: { verb: 'delete', keys: '/app/{name}' },
  missing: ({ name }, ns) => unknownApplication(ns, name),
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The application is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found'],
  async handle({ ns, params, author, headers }, { applications }) {
    const revision = await applications.delete(ns, params.name, {
      author,
      precondition: readPrecondition(headers),
    });
    return noContent({ revision });
  },
});

export const appEndpoints = [listApps, getApp, putApp, deleteApp];

function factsOf({ revision }: Application) {
  return { etag: revisionTag(revision), revision };
}
