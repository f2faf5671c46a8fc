import { z } from 'zod';
import type { Access } from './access.ts';
import {
  type Endpoint,
  mayBeMissing,
  type RequestHeader,
  type ResponseDeclaration,
  type ResponseHeader,
} from './endpoint.ts';
import { BARE_MAX_STALE_SECONDS } from './freshness.ts';
import { NAME_PATTERN } from './name.ts';
import { PROBLEM_KINDS } from './problem.ts';
import { isRawBody } from './raw-body.ts';

/** The version of the API that `/api/v1` is; grows with what is added to it. */
const API_VERSION = '1.0.0';

type JsonObject = { [name: string]: unknown };

/** Loose, because a kind of problem may come to tell more. */
const problemSchema = z.looseObject({
  type: z.url().describe('Names the kind of problem; stable.'),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe('What is wrong with this request.'),
  field: z
    .string()
    .optional()
    .describe('The path of the faulty field, or the name of the header or parameter.'),
  fix: z.string().optional().describe('What to do about it.'),
  requestId: z.string(),
  compactedTo: z.int().optional().describe('410: changes up to this revision are gone.'),
  resyncFrom: z.int().optional().describe('410: the revision to go on from.'),
  leader: z
    .looseObject({ candidate: z.string(), token: z.int(), expiresAt: z.iso.datetime() })
    .optional()
    .describe('409 to a campaign: who leads.'),
});

const REQUEST_HEADERS: Readonly<Record<RequestHeader, string>> = {
  Accept: 'The form of the answer, where there are several.',
  Range: 'A range of bytes (`bytes=0-1023`, `bytes=1024-`, `bytes=-500`): the answer is 206 with that part.',
  'If-Range': 'An entity tag: the range is obeyed only if the content still has it.',
  'Last-Event-ID': 'The id of the last event of the stream before; it wins over what the query says.',
  'Idempotency-Key':
    'Up to 200 characters that the caller chose: the same request sent again with them is the same operation.',
  'If-Match': 'Entity tags, or `*`: the write happens only if the present state has one of them.',
  'If-None-Match':
    'Entity tags, or `*`: a read answers 304, a write does not happen, if the present state has one of them.',
  'WebHook-Allowed-Origin': 'Who may call: the `WebHook-Request-Origin` that was sent, or `*`.',
  'WebHook-Allowed-Rate': 'Calls a minute, or `*`; the rate that was asked for unless said.',
  'Cache-Control': `\`max-stale=N\` or \`max-age=N\`: an answer up to N seconds old will do, and costs no storage read. A bare \`max-stale\` stands for ${BARE_MAX_STALE_SECONDS}.`,
};

const RESPONSE_HEADERS: Readonly<Record<ResponseHeader, JsonObject>> = {
  ETag: { description: 'Changes when the answer does.', schema: { type: 'string' } },
  'X-Skerry-Revision': {
    description: 'The revision that the answer stands for.',
    schema: { type: 'integer' },
  },
  'X-Skerry-Version': {
    description: 'The number of the version that the answer is about, whatever name it was asked for by.',
    schema: { type: 'integer' },
  },
  Location: { description: 'Where the new resource is.', schema: { type: 'string' } },
  Age: { description: 'Seconds since the answer was proven current.', schema: { type: 'integer' } },
  'Last-Modified': { description: 'When what is answered was last written.', schema: { type: 'string' } },
  'Content-Location': {
    description: 'Where exactly this stays, whatever the name in the request comes to stand for.',
    schema: { type: 'string' },
  },
  'Content-Range': { description: 'Which bytes these are.', schema: { type: 'string' } },
  'Accept-Ranges': { description: 'Whether ranges may be asked for.', schema: { type: 'string' } },
  Vary: { description: 'The request headers that the answer depends on.', schema: { type: 'string' } },
  Link: { description: 'Related resources.', schema: { type: 'string' } },
  'Operation-Location': {
    description: 'Where to ask how the work goes: the URL of the operation.',
    schema: { type: 'string' },
  },
  'Retry-After': { description: 'Seconds after which a retry makes sense.', schema: { type: 'integer' } },
};

/** The OpenAPI 3.1 document of a set of endpoints, made from the schemas that check the requests. */
export function describeApi<Services>(endpoints: readonly Endpoint<Services>[]): JsonObject {
  const paths: Record<string, JsonObject> = {};
  for (const endpoint of endpoints) {
    const path = `/${endpoint.route.text.replaceAll('{*', '{')}`;
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: describeOperation(endpoint) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Skerry',
      version: API_VERSION,
      description: 'A serverless service registry and configuration control plane.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    paths,
    components: {
      schemas: { Problem: toSchema(problemSchema, 'output') },
      responses: {
        Problem: {
          description: 'What is wrong, and what to do about it (RFC 9457).',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
        Reason: {
          description: 'What is wrong, as text.',
          content: { 'text/plain': { schema: { type: 'string' } } },
        },
      },
      parameters: {
        ns: {
          name: 'ns',
          in: 'query',
          description: 'The namespace.',
          schema: { type: 'string', pattern: NAME_PATTERN.source, default: 'default' },
        },
      },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function describeOperation<Services>(endpoint: Endpoint<Services>): JsonObject {
  const { access } = endpoint;
  return {
    operationId: endpoint.name,
    summary: endpoint.summary,
    tags: [endpoint.surface],
    parameters: describeParameters(endpoint),
    ...(endpoint.body !== undefined && {
      requestBody: {
        required: !mayBeMissing(endpoint.body),
        content: isRawBody(endpoint.body)
          ? { '*/*': {} }
          : { 'application/json': { schema: toSchema(endpoint.body, 'input') } },
      },
    }),
    responses: describeResponses(endpoint),
    security: describeSecurity(access),
    ...(typeof access === 'object' && {
      'x-skerry-access': {
        verb: access.verb,
        keys: access.keys,
        ...(endpoint.touchesByContent && { byContent: true }),
      },
    }),
  };
}

function describeParameters<Services>(endpoint: Endpoint<Services>): JsonObject[] {
  const path = parametersOf(endpoint.params, 'path');
  const query = parametersOf(endpoint.query, 'query');
  const headers = endpoint.requestHeaders.map((name) => ({
    name,
    in: 'header',
    description: REQUEST_HEADERS[name],
    schema: { type: 'string' },
  }));
  const namespace = endpoint.surface === 'canonical' ? [{ $ref: '#/components/parameters/ns' }] : [];
  return [...path, ...query, ...namespace, ...headers];
}

function parametersOf(schema: z.ZodObject, place: 'path' | 'query'): JsonObject[] {
  return Object.entries(schema.shape).map(([name, parameter]) => ({
    name,
    in: place,
    ...(place === 'path' && { required: true }),
    schema: toSchema(parameter, 'input'),
  }));
}

function describeResponses<Services>(endpoint: Endpoint<Services>): JsonObject {
  const responses: JsonObject = {};
  for (const status of errorStatuses(endpoint)) {
    responses[status] = { $ref: errorReference(endpoint) };
  }
  for (const [status, response] of Object.entries(endpoint.responses)) {
    responses[status] = describeResponse(response);
  }
  return responses;
}

function describeResponse(response: ResponseDeclaration): JsonObject {
  const headers = (response.headers ?? []).map((name) => [name, RESPONSE_HEADERS[name]]);
  return {
    description: response.description,
    ...(headers.length > 0 && { headers: Object.fromEntries(headers) }),
    ...(response.body !== undefined && {
      content: {
        [response.mediaType ?? 'application/json']: { schema: toSchema(response.body, 'output') },
        ...(response.orContent === true && { '*/*': {} }),
      },
    }),
  };
}

/** Surfaces of replaced systems may be called without a token, where they are offered. */
function describeSecurity(access: Access): JsonObject[] {
  if (access === 'open') {
    return [];
  }
  return access !== 'known' && access.legacy ? [{}, { token: [] }] : [{ token: [] }];
}

/** The errors that the platform itself can answer for an endpoint, and those that the endpoint names. */
function errorStatuses<Services>(endpoint: Endpoint<Services>): readonly number[] {
  const statuses = new Set<number>([PROBLEM_KINDS.invalid.status, PROBLEM_KINDS.internal.status]);
  if (endpoint.access !== 'open') {
    statuses.add(PROBLEM_KINDS.unavailable.status);
    statuses.add(PROBLEM_KINDS['too-many-requests'].status);
    statuses.add(PROBLEM_KINDS.unauthorized.status);
  }
  if (typeof endpoint.access === 'object') {
    statuses.add(PROBLEM_KINDS.forbidden.status);
    statuses.add(PROBLEM_KINDS['not-found'].status);
  }
  if (endpoint.body !== undefined) {
    statuses.add(PROBLEM_KINDS['too-large'].status);
  }
  if (endpoint.body !== undefined && endpoint.surface === 'canonical') {
    statuses.add(PROBLEM_KINDS['unsupported-media-type'].status);
  }
  if (endpoint.requestHeaders.some((name) => name === 'If-Match' || name === 'If-None-Match')) {
    statuses.add(PROBLEM_KINDS['precondition-failed'].status);
  }
  for (const kind of endpoint.errors) {
    statuses.add(PROBLEM_KINDS[kind].status);
  }
  return [...statuses];
}

function errorReference<Services>(endpoint: Endpoint<Services>): string {
  return `#/components/responses/${endpoint.surface === 'canonical' ? 'Problem' : 'Reason'}`;
}

/** Recursive schemas are refused: their references would lead to the root of the document. */
function toSchema(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  const { $schema: _, ...described } = z.toJSONSchema(schema, {
    io,
    cycles: 'throw',
    unrepresentable: 'any',
  });
  return described;
}
