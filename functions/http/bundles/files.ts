import { z } from 'zod';
import {
  BUNDLE_LIMITS,
  contentTypeOf,
  MAX_TAR_GZ_BYTES,
  type Version,
  type Versions,
} from '../../../shared/bundles/index.ts';
import { SkerryError } from '../../../shared/platform/errors.ts';
import {
  answerRange,
  answerReadWith,
  content,
  type HeaderReader,
  type HttpResponse,
  preferredType,
  readByteRange,
  redirect,
} from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { heldUntilSent, readInMemory } from './held-content.ts';
import {
  aboutVersion,
  readingVersion,
  VERSION_ROUTE,
  versionFacts,
  versionParameters,
  versionQuery,
} from './version-shape.ts';

const ZIP = 'application/zip';
const TAR_GZ = 'application/gzip';

const getArchive = endpoint({
  name: 'getArchive',
  method: 'GET',
  route: `${VERSION_ROUTE}/archive`,
  summary: 'All files of a version, as a zip or a tar.gz',
  ...readingVersion,
  params: versionParameters,
  query: versionQuery,
  requestHeaders: ['Accept', 'If-None-Match', 'Range', 'If-Range'],
  responses: {
    200: {
      description: 'The archive: a zip, unless `Accept` prefers `application/gzip`.',
      body: z.string(),
      mediaType: ZIP,
      orContent: true,
      headers: ['ETag', 'X-Skerry-Version', 'Content-Location', 'Accept-Ranges', 'Vary'],
    },
    206: {
      description: 'A part of it.',
      headers: ['ETag', 'X-Skerry-Version', 'Content-Location', 'Accept-Ranges', 'Content-Range', 'Vary'],
    },
    302: {
      description: 'The zip is large: for ten minutes it is where `Location` says.',
      headers: ['ETag', 'X-Skerry-Version', 'Content-Location', 'Location', 'Vary'],
    },
    304: {
      description: 'The caller has it.',
      headers: ['ETag', 'X-Skerry-Version', 'Content-Location', 'Vary'],
    },
  },
  errors: ['not-found', 'not-acceptable', 'range-not-satisfiable', 'too-many-requests'],
  async handle({ ns, params, query, headers }, { versions }) {
    const { name, version: reference } = params;
    const version = await versions.find(ns, name, reference, query.consumer);
    const answer = () => answerArchive(version, { ns, name, reference, headers }, versions);
    return await aboutVersion(version, answer, { Vary: 'Accept' });
  },
});

const getFile = endpoint({
  name: 'getFile',
  method: 'GET',
  route: `${VERSION_ROUTE}/files/{*path}`,
  summary: 'One file of a version',
  ...readingVersion,
  params: { ...versionParameters, path: z.string() },
  query: versionQuery,
  requestHeaders: ['If-None-Match'],
  responses: {
    200: {
      description: 'The file, with the content type that its name stands for.',
      body: z.string(),
      mediaType: 'application/octet-stream',
      orContent: true,
      headers: ['ETag', 'X-Skerry-Version', 'Content-Location'],
    },
    304: { description: 'The caller has it.', headers: ['ETag', 'X-Skerry-Version', 'Content-Location'] },
  },
  errors: ['not-found', 'unprocessable', 'too-large'],
  async handle({ ns, params, query, headers }, { versions }) {
    const { name, version: reference } = params;
    const version = await versions.find(ns, name, reference, query.consumer);
    return await aboutVersion(version, async () => {
      const file = await versions.findFile(ns, name, version, params.path);
      const facts = versionFacts({ ns, name, reference }, version, {
        etag: `"${file.sha256}"`,
        below: `/files/${file.path.split('/').map(encodeURIComponent).join('/')}`,
      });
      return await answerReadWith(headers, facts, async () =>
        content(() => versions.streamOf(ns, name, version, file), await contentTypeOf(file), {
          ...facts,
          headers: { ...facts.headers, 'Content-Length': String(file.size) },
        }),
      );
    });
  },
});

export const fileEndpoints = [getArchive, getFile];

async function answerArchive(
  version: Version,
  {
    ns,
    name,
    reference,
    headers,
  }: {
    readonly ns: string;
    readonly name: string;
    readonly reference: string;
    readonly headers: HeaderReader;
  },
  versions: Versions,
): Promise<HttpResponse> {
  const form = formOf(headers, version);
  const etag = `"${version.digest.slice('sha256:'.length)}.${form.extension}"`;
  const said = versionFacts({ ns, name, reference }, version, { etag, below: '/archive' });
  const facts = { ...said, headers: { ...said.headers, Vary: 'Accept' } };
  return await answerReadWith(headers, facts, async (): Promise<HttpResponse> => {
    const described = {
      ETag: etag,
      ...facts.headers,
      'Content-Type': form.type,
      'Content-Disposition': `attachment; filename="${name}-${version.version}.${form.extension}"`,
      'X-Content-Type-Options': 'nosniff',
    };
    if (form.type === TAR_GZ) {
      return await answerTarGz(headers, etag, described, {
        bytes: 2 * version.size,
        make: () => versions.tarGz(ns, name, version),
      });
    }
    if (version.archiveSize > BUNDLE_LIMITS.downloadBytes) {
      const unkept = { ...facts, headers: { ...facts.headers, 'Cache-Control': 'no-store' } };
      return redirect(await versions.archiveUrl(ns, name, version), unkept);
    }
    const range = readByteRange(headers, version.archiveSize, etag);
    const archive = await versions.archive(ns, name, version);
    return answerRange(range, version.archiveSize, {
      headers: described,
      read: ({ start, end }) => archive.stream(start, end),
    });
  });
}

interface Form {
  readonly type: typeof ZIP | typeof TAR_GZ;
  readonly extension: 'zip' | 'tar.gz';
}

/** The form in which a request gets an archive: the one that it prefers, a zip where it does not care. */
function formOf(headers: HeaderReader, { size }: Version): Form {
  const isSmall = size <= MAX_TAR_GZ_BYTES;
  const offered = isSmall ? [ZIP, TAR_GZ, 'application/x-gzip'] : [ZIP];
  const type = preferredType(headers, offered);
  if (type === undefined) {
    throw new SkerryError(
      'not-acceptable',
      `The archive comes as ${isSmall ? `${ZIP} or ${TAR_GZ}` : ZIP}.`,
      {
        field: 'Accept',
        fix: isSmall
          ? 'Accept one of them.'
          : `Accept ${ZIP}: a tar.gz is made of versions with up to ${MAX_TAR_GZ_BYTES} bytes alone.`,
      },
    );
  }
  return type === ZIP ? { type, extension: 'zip' } : { type: TAR_GZ, extension: 'tar.gz' };
}

/** How long it is shows only when it is made; so HEAD, for which nothing is made, does not say it. */
async function answerTarGz(
  headers: HeaderReader,
  etag: string,
  described: Readonly<Record<string, string>>,
  { bytes, make }: { readonly bytes: number; readonly make: () => Promise<Uint8Array> },
): Promise<HttpResponse> {
  if (headers.get('range') === null) {
    return {
      status: 200,
      headers: { ...described, 'Accept-Ranges': 'bytes' },
      body: () => readInMemory(bytes, async (leave) => heldUntilSent(await make(), leave)),
    };
  }
  return await readInMemory(bytes, async (leave) => {
    const made = await make();
    return answerRange(readByteRange(headers, made.length, etag), made.length, {
      headers: described,
      read: ({ start, end }) => heldUntilSent(made.subarray(start, end), leave),
    });
  });
}
