import { z } from 'zod';
import {
  bundleFileOf,
  readUpload,
  referenceNameSchema,
  referenceSchema,
  unknownBundle,
  versionNotesShape,
} from '../../../shared/bundles/index.ts';
import {
  answerRead,
  answerReadWith,
  authorize,
  json,
  list,
  paging,
  readPrecondition,
  revisionTag,
} from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { uploadBody } from './upload-body.ts';
import {
  aboutVersion,
  answerPublication,
  bundleFileSchema,
  publicationResponses,
  readingVersion,
  readsVersions,
  showVersion,
  VERSION_KEYS,
  VERSION_ROUTE,
  versionFacts,
  versionParameters,
  versionQuery,
  versionShape,
} from './version-shape.ts';

const VERSIONS_ROUTE = 'api/v1/bundles/{name}/versions';

const listVersions = endpoint({
  name: 'listVersions',
  method: 'GET',
  route: VERSIONS_ROUTE,
  summary: 'The versions of a bundle, the newest first',
  access: { verb: 'list', keys: VERSION_KEYS },
  query: paging,
  requestHeaders: ['If-None-Match'],
  responses: {
    200: {
      description: 'A page of versions.',
      body: z.strictObject({
        items: z.array(z.strictObject(versionShape)),
        next: z.string().optional().describe('Cursor of the next page, for `after`.'),
      }),
      headers: ['ETag'],
    },
    304: { description: 'The listing is as the caller knows it.', headers: ['ETag'] },
  },
  async handle({ ns, params, query, headers }, { versions }) {
    const listing = await versions.list(ns, params.name, query);
    return answerRead(headers, { etag: revisionTag(listing.revision) }, () => ({
      items: listing.versions.map(showVersion),
      next: listing.next,
    }));
  },
});

const publishVersion = endpoint({
  name: 'publishVersion',
  method: 'PUT',
  route: VERSIONS_ROUTE,
  summary:
    'Publishes a zip, a tar, a tar.gz or a form with files as the next version; what the newest has already makes none',
  access: { verb: 'write', keys: VERSION_KEYS },
  query: {
    message: versionNotesShape.message,
    label: list(referenceNameSchema).describe('Names by which the version is found.'),
    ifChangedFrom: referenceSchema
      .optional()
      .describe('A version: content that equals its makes no new version either.'),
  },
  body: uploadBody,
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: publicationResponses,
  errors: ['not-found', 'unprocessable', 'unsupported-media-type', 'too-many-requests'],
  async handle(request, services) {
    const { ns, params, query, body, author, headers, caller } = request;
    if (query.ifChangedFrom !== undefined) {
      const { name } = params;
      authorize(caller, ns, readsVersions(name, [query.ifChangedFrom]), () => unknownBundle(ns, name));
    }
    const { inputs, message = '', labels = [] } = await readUpload(body);
    const publication = await services.versions.publish(ns, params.name, inputs, {
      author,
      message: query.message ?? message,
      labels: [...query.label, ...labels],
      ifChangedFrom: query.ifChangedFrom,
      precondition: readPrecondition(headers),
    });
    return answerPublication(request, params.name, publication);
  },
});

const getVersion = endpoint({
  name: 'getVersion',
  method: 'GET',
  route: VERSION_ROUTE,
  summary: 'A version and its files',
  ...readingVersion,
  params: versionParameters,
  query: versionQuery,
  requestHeaders: ['If-None-Match'],
  responses: {
    200: {
      description: 'The version that the number, `latest`, the channel or the label stands for.',
      body: z.strictObject({
        ...versionShape,
        files: z.array(bundleFileSchema),
      }),
      headers: ['ETag', 'X-Skerry-Version', 'Content-Location'],
    },
    304: {
      description: 'The caller knows it.',
      headers: ['ETag', 'X-Skerry-Version', 'Content-Location'],
    },
  },
  errors: ['not-found'],
  async handle({ ns, params, query, headers }, { versions }) {
    const { name, version: reference } = params;
    const version = await versions.find(ns, name, reference, query.consumer);
    const facts = versionFacts({ ns, name, reference }, version, { etag: revisionTag(version.revision) });
    return await aboutVersion(version, async () =>
      answerReadWith(headers, facts, async () => {
        const { files } = await versions.manifest(ns, name, version);
        return json(200, { ...showVersion(version), files: files.map(bundleFileOf) }, facts);
      }),
    );
  },
});

const rollBack = endpoint({
  name: 'rollBack',
  method: 'POST',
  route: `${VERSION_ROUTE}/rollback`,
  summary: 'Publishes the content of a version again, as the newest',
  access: { verb: 'write', keys: VERSION_KEYS },
  touches: ({ params: { name, version } }) => [
    { verb: 'write', keys: `/bundle/${name}/versions/` },
    ...readsVersions(name, [version]),
  ],
  missing: readingVersion.missing,
  params: versionParameters,
  body: z.strictObject(versionNotesShape).prefault({}),
  requestHeaders: ['If-Match'],
  responses: publicationResponses,
  errors: ['not-found'],
  async handle(request, { versions }) {
    const { ns, params, body, author, headers } = request;
    const publication = await versions.rollback(ns, params.name, params.version, {
      author,
      ...body,
      precondition: readPrecondition(headers),
    });
    return answerPublication(request, params.name, publication);
  },
});

export const versionEndpoints = [listVersions, publishVersion, getVersion, rollBack];
