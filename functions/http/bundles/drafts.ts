import { z } from 'zod';
import {
  BUNDLE_LIMITS,
  referenceInBodySchema,
  unknownBundle,
  unknownDraft,
  versionNotesShape,
} from '../../../shared/bundles/index.ts';
import { toTimestamp } from '../../../shared/platform/clock.ts';
import { canonicalLocation, json, noContent, readPrecondition } from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { uploadBody } from './upload-body.ts';
import {
  answerPublication,
  bundleFileSchema,
  publicationResponses,
  readsVersions,
  VERSION_KEYS,
} from './version-shape.ts';

/** Ids that are none are answered as those that nobody knows. */
const draftIdSchema = z.string().describe('Such as `drf_01jh8…`.');
/** The domain normalises it, and says what is wrong with it. */
const pathSchema = z.string().describe('Of the file, from the top of the bundle.');

const draftShape = {
  draft: draftIdSchema,
  from: z.int().optional().describe('The version that it began with.'),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().describe('From when on it is gone.'),
};

const beginDraft = endpoint({
  name: 'beginBundleDraft',
  method: 'POST',
  route: 'api/v1/bundles/{name}/drafts',
  summary: 'A new draft: files are put into it, or an archive is uploaded to its URL, until it is committed',
  access: { verb: 'write', keys: VERSION_KEYS },
  touches: ({ params: { name }, body: { from } }) => [
    { verb: 'write', keys: `/bundle/${name}/versions/` },
    ...(from === undefined ? [] : readsVersions(name, [from])),
  ],
  missing: ({ name }, ns) => unknownBundle(ns, name),
  body: z
    .strictObject({
      from: referenceInBodySchema
        .optional()
        .describe('The version whose files it has at first; none without it.'),
    })
    .prefault({}),
  responses: {
    201: {
      description: 'The draft.',
      body: z.strictObject({
        ...draftShape,
        upload: z.strictObject({
          url: z
            .url()
            .describe('Takes a zip, whole or by blocks, for as long as it is good; it grants nothing else.'),
          method: z.literal('PUT'),
          headers: z.record(z.string(), z.string()).describe('To be sent with a zip that is put whole.'),
          expiresAt: z.iso.datetime(),
          maxBytes: z.int(),
        }),
      }),
      headers: ['Location'],
    },
  },
  errors: ['not-found'],
  async handle(request, { drafts }) {
    const { ns, params, body } = request;
    const { upload, ...draft } = await drafts.begin(ns, params.name, body.from);
    const view = {
      ...timesOf(draft),
      upload: {
        url: upload.url,
        method: 'PUT',
        headers: { 'x-ms-blob-type': 'BlockBlob' },
        expiresAt: toTimestamp(upload.expiresAt),
        maxBytes: BUNDLE_LIMITS.uploadBytes,
      },
    };
    return json(201, view, {
      location: canonicalLocation(request, `bundles/${params.name}/drafts/${draft.draft}`),
    });
  },
});

const getDraft = endpoint({
  name: 'getBundleDraft',
  method: 'GET',
  route: 'api/v1/bundles/{name}/drafts/{draft}',
  summary: 'A draft, and what was put into it and deleted from it since its beginning',
  access: { verb: 'read', keys: VERSION_KEYS },
  missing: ({ draft }) => unknownDraft(draft),
  params: { draft: draftIdSchema },
  responses: {
    200: {
      description: 'The draft.',
      body: z.strictObject({
        ...draftShape,
        archive: z.strictObject({ size: z.int() }).optional().describe('What was uploaded.'),
        files: z.array(bundleFileSchema),
        deleted: z.array(z.string()),
      }),
    },
  },
  errors: ['not-found', 'too-large'],
  async handle({ ns, params }, { drafts }) {
    return json(200, timesOf(await drafts.get(ns, params.name, params.draft)));
  },
});

const discardDraft = endpoint({
  name: 'discardBundleDraft',
  method: 'DELETE',
  route: 'api/v1/bundles/{name}/drafts/{draft}',
  summary: 'Gives a draft up',
  access: { verb: 'write', keys: VERSION_KEYS },
  missing: ({ draft }) => unknownDraft(draft),
  params: { draft: draftIdSchema },
  responses: { 204: { description: 'The draft is gone.' } },
  errors: ['not-found'],
  async handle({ ns, params }, { drafts }) {
    await drafts.discard(ns, params.name, params.draft);
    return noContent();
  },
});

const putDraftFile = endpoint({
  name: 'putBundleDraftFile',
  method: 'PUT',
  route: 'api/v1/bundles/{name}/drafts/{draft}/files/{*path}',
  summary: 'Puts a file into a draft, over what it has under that path',
  access: { verb: 'write', keys: VERSION_KEYS },
  missing: ({ draft }) => unknownDraft(draft),
  params: { draft: draftIdSchema, path: pathSchema },
  body: uploadBody,
  responses: { 200: { description: 'The file is in the draft.', body: bundleFileSchema } },
  errors: ['not-found', 'conflict', 'unprocessable', 'too-many-requests'],
  async handle({ ns, params: { name, draft, path }, body }, { drafts }) {
    return json(200, await drafts.putFile(ns, name, draft, path, body.bytes));
  },
});

const deleteDraftFile = endpoint({
  name: 'deleteBundleDraftFile',
  method: 'DELETE',
  route: 'api/v1/bundles/{name}/drafts/{draft}/files/{*path}',
  summary: 'Takes a file out of a draft, whether it was put into it or the draft began with it',
  access: { verb: 'write', keys: VERSION_KEYS },
  missing: ({ draft }) => unknownDraft(draft),
  params: { draft: draftIdSchema, path: pathSchema },
  responses: { 204: { description: 'The file is not in the draft any more.' } },
  errors: ['not-found', 'conflict', 'unprocessable'],
  async handle({ ns, params: { name, draft, path } }, { drafts }) {
    await drafts.deleteFile(ns, name, draft, path);
    return noContent();
  },
});

const commitDraft = endpoint({
  name: 'commitBundleDraft',
  method: 'POST',
  route: 'api/v1/bundles/{name}/drafts/{draft}/commit',
  summary:
    'Publishes a draft as the next version, whole or not at all; repeated, it answers the same version',
  access: { verb: 'write', keys: VERSION_KEYS },
  touches: ({ params: { name }, body: { ifChangedFrom } }) => [
    { verb: 'write', keys: `/bundle/${name}/versions/` },
    ...(ifChangedFrom === undefined ? [] : readsVersions(name, [ifChangedFrom])),
  ],
  missing: ({ draft }) => unknownDraft(draft),
  params: { draft: draftIdSchema },
  body: z
    .strictObject({
      ...versionNotesShape,
      ifChangedFrom: referenceInBodySchema
        .optional()
        .describe('Content that equals that version makes no new one either.'),
      digest: z
        .string()
        .regex(/^sha256:[0-9a-f]{64}$/, 'must be "sha256:" and 64 hexadecimal digits')
        .optional()
        .describe('What the content must come to; else nothing is published.'),
    })
    .prefault({}),
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: publicationResponses,
  errors: ['not-found', 'conflict', 'unprocessable', 'too-large', 'too-many-requests'],
  async handle(request, { drafts }) {
    const { ns, params, body, author, headers } = request;
    const publication = await drafts.commit(ns, params.name, params.draft, {
      ...body,
      author,
      precondition: readPrecondition(headers),
    });
    return answerPublication(request, params.name, publication);
  },
});

export const draftEndpoints = [
  beginDraft,
  getDraft,
  discardDraft,
  putDraftFile,
  deleteDraftFile,
  commitDraft,
];

function timesOf<Times extends { readonly createdAt: number; readonly expiresAt: number }>(draft: Times) {
  return { ...draft, createdAt: toTimestamp(draft.createdAt), expiresAt: toTimestamp(draft.expiresAt) };
}
