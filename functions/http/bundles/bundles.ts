import { z } from 'zod';
import { unknownBundle } from '../../../shared/bundles/index.ts';
import {
  answerRead,
  canonicalLocation,
  json,
  nameSchema,
  paging,
  readPrecondition,
  revisionTag,
} from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';

const settingsShape = {
  description: z.string().max(2_000).optional(),
  retention: z
    .strictObject({
      versions: z.int().min(1).max(1_000_000).describe('The newest versions, which are kept.'),
      days: z.number().min(0).max(3650).describe('Versions that are younger are kept.'),
    })
    .optional()
    .describe('What cleanup keeps; without it the settings of the installation say.'),
};

const bundleSchema = z.strictObject({
  name: nameSchema,
  latest: z.int().describe('The newest version; 0 before the first.'),
  ...settingsShape,
  revision: z.int(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});

const listBundles = endpoint({
  name: 'listBundles',
  method: 'GET',
  route: 'api/v1/bundles',
  summary: 'The bundles of a namespace, by name',
  access: { verb: 'list', keys: '/bundle/' },
  query: paging,
  responses: {
    200: {
      description: 'A page of bundles; each is current for itself.',
      body: z.strictObject({
        items: z.array(bundleSchema),
        next: z.string().optional().describe('Cursor of the next page, for `after`.'),
      }),
    },
  },
  async handle({ ns, query }, { bundles }) {
    const { bundles: items, next } = await bundles.list(ns, query);
    return json(200, { items, next });
  },
});

const getBundle = endpoint({
  name: 'getBundle',
  method: 'GET',
  route: 'api/v1/bundles/{name}',
  summary: 'What holds for all versions of a bundle, and which is the newest',
  access: { verb: 'read', keys: '/bundle/{name}' },
  missing: ({ name }, ns) => unknownBundle(ns, name),
  requestHeaders: ['If-None-Match'],
  responses: {
    200: { description: 'The bundle.', body: bundleSchema, headers: ['ETag'] },
    304: { description: 'The bundle is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  async handle({ ns, params, headers }, { bundles }) {
    const bundle = await bundles.get(ns, params.name);
    if (bundle === undefined) {
      throw unknownBundle(ns, params.name);
    }
    return answerRead(headers, { etag: revisionTag(bundle.revision) }, () => bundle);
  },
});

const putBundle = endpoint({
  name: 'putBundle',
  method: 'PUT',
  route: 'api/v1/bundles/{name}',
  summary: 'Replaces what is set for a bundle; creates the bundle where there is none',
  access: { verb: 'write', keys: '/bundle/{name}' },
  body: z.strictObject(settingsShape),
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: { description: 'It is set.', body: bundleSchema, headers: ['ETag'] },
    201: { description: 'The bundle was created.', body: bundleSchema, headers: ['ETag', 'Location'] },
  },
  async handle(request, { bundles }) {
    const { ns, params, body, author, headers } = request;
    const options = { author, precondition: readPrecondition(headers) };
    const { bundle, created } = await bundles.configure(ns, params.name, body, options);
    const facts = { etag: revisionTag(bundle.revision) };
    return created
      ? json(201, bundle, { ...facts, location: canonicalLocation(request, `bundles/${params.name}`) })
      : json(200, bundle, facts);
  },
});

export const bundleSettingsEndpoints = [listBundles, getBundle, putBundle];
