import { z } from 'zod';
import {
  type Publication,
  referenceSchema,
  unknownBundle,
  type Version,
  versionNumberOf,
} from '../../../shared/bundles/index.ts';
import { SkerryError } from '../../../shared/platform/errors.ts';
import {
  canonicalLocation,
  canonicalPath,
  type HttpResponse,
  json,
  nameSchema,
  type ResponseDeclaration,
  type ResponseFacts,
  revisionTag,
  type Touch,
} from '../../../shared/platform/http/index.ts';

export const VERSION_ROUTE = 'api/v1/bundles/{name}/versions/{version}';
/** The keys that endpoints about versions and drafts, which become versions, are about. */
export const VERSION_KEYS = '/bundle/{name}/versions/';

/**
 * What is read to find the versions that references stand for: any of them may be the one, and what is neither a number nor `latest`
 * is first of all a channel.
 */
export function readsVersions(name: string, references: readonly (string | undefined)[]): Touch[] {
  const channels = references.filter(
    (reference) =>
      reference !== undefined && reference !== 'latest' && versionNumberOf(reference) === undefined,
  );
  return [
    { verb: 'read', keys: `/bundle/${name}/versions/` },
    ...channels.map((channel): Touch => ({ verb: 'read', keys: `/bundle/${name}/channels/${channel}` })),
  ];
}

/** What endpoints that read one version ask for. */
export const readingVersion = {
  access: { verb: 'read', keys: VERSION_KEYS },
  touches: ({ params }: { readonly params: { readonly name: string; readonly version: string } }) =>
    readsVersions(params.name, [params.version]),
  missing: ({ name }: { readonly name: string }, ns: string) => unknownBundle(ns, name),
} as const;

export const versionParameters = { version: referenceSchema };

export const versionQuery = {
  consumer: nameSchema
    .optional()
    .describe('Who asks: during the rollout of a channel it decides which of its two versions that is.'),
};

export const bundleFileSchema = z.strictObject({
  path: z.string(),
  size: z.int().describe('Bytes.'),
  sha256: z.string().describe('Hexadecimal.'),
});

export const versionShape = {
  version: z.int().describe('Its number.'),
  digest: z.string().describe('`sha256:` and the SHA-256 over the paths, sizes and SHA-256 of its files.'),
  author: z.string(),
  message: z.string(),
  labels: z.array(nameSchema),
  fileCount: z.int(),
  size: z.int().describe('Bytes of all files.'),
  archiveSize: z.int().describe('Bytes of the zip.'),
  rollbackOf: z.int().optional().describe('The version whose content was published again.'),
  createdAt: z.iso.datetime(),
  revision: z.int(),
};

const publicationSchema = z.strictObject({
  ...versionShape,
  unchanged: z.literal(true).optional().describe('The content was there already: this is the version.'),
});

/** What endpoints that publish answer, in `responses`. */
export const publicationResponses: Readonly<Record<200 | 201, ResponseDeclaration>> = {
  200: {
    description: 'There is a version of that content already.',
    body: publicationSchema,
    headers: ['ETag', 'X-Skerry-Version', 'Content-Location'],
  },
  201: {
    description: 'The new version.',
    body: publicationSchema,
    headers: ['ETag', 'X-Skerry-Version', 'Location'],
  },
};

export function showVersion(version: Version) {
  const { version: number, digest, author, message, labels, files, size, archiveSize, rollbackOf } = version;
  return {
    version: number,
    digest,
    author,
    message,
    labels,
    fileCount: files,
    size,
    archiveSize,
    rollbackOf,
    createdAt: version.createdAt,
    revision: version.revision,
  };
}

/** The answer to a request that publishes. */
export function answerPublication(
  request: { readonly baseUrl: string; readonly ns: string },
  name: string,
  { version, unchanged }: Publication,
): HttpResponse {
  const path = pathOfVersion(name, version);
  const shown = showVersion(version);
  const facts = { etag: revisionTag(version.revision) };
  const numbered = { 'X-Skerry-Version': String(version.version) };
  return unchanged
    ? json(
        200,
        { ...shown, unchanged },
        { ...facts, headers: { ...numbered, 'Content-Location': canonicalPath(request.ns, path) } },
      )
    : json(201, shown, { ...facts, headers: numbered, location: canonicalLocation(request, path) });
}

/** Seconds; a version never changes, but cleanup may take it away. */
const NUMBERED_MAX_AGE = 86_400;

/**
 * What answers about a version say of it: which it is, and for how long the answer holds. By its number it holds as long as the version is
 * there.
 *
 * @param reference what the request named it by.
 * @param below what is asked for of the version, such as `/archive`.
 */
export function versionFacts(
  { ns, name, reference }: { readonly ns: string; readonly name: string; readonly reference: string },
  version: Version,
  { etag, below = '' }: { readonly etag: string; readonly below?: string },
): ResponseFacts & { readonly headers: Readonly<Record<string, string>> } {
  return {
    etag,
    headers: {
      'X-Skerry-Version': String(version.version),
      'Content-Location': canonicalPath(ns, pathOfVersion(name, version) + below),
      'Cache-Control':
        reference === String(version.version)
          ? `private, max-age=${NUMBERED_MAX_AGE}, immutable`
          : 'no-cache',
    },
  };
}

/** Runs what answers about a version, so that refusals too say which it is: what it was asked for by may stand for another by now. */
export async function aboutVersion<Answer>(
  { version }: Version,
  answer: () => Promise<Answer>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  try {
    return await answer();
  } catch (error) {
    throw error instanceof SkerryError
      ? error.with({ headers: { 'X-Skerry-Version': String(version), ...headers } })
      : error;
  }
}

function pathOfVersion(name: string, { version }: Version): string {
  return `bundles/${name}/versions/${version}`;
}
