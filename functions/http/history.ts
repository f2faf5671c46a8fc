import { z } from 'zod';
import { noRetention, restore } from '../../shared/history/index.ts';
import { checkPublicKey, scopeOfPrefix } from '../../shared/keyspace/index.ts';
import { invalid } from '../../shared/platform/errors.ts';
import {
  answerRead,
  json,
  noContent,
  paging,
  readPrecondition,
  revisionTag,
} from '../../shared/platform/http/index.ts';
import { diffJson } from '../../shared/platform/json-patch.ts';
import type { Change, Json } from '../../shared/records/index.ts';
import { changeShape } from './change-shape.ts';
import { endpoint } from './endpoint.ts';
import { jsonValueSchema } from './json-value.ts';

/** What a key or a scope may be is for the domain to say. */
const pathSchema = z.string();

const changeSchema = z.strictObject({
  ...changeShape,
  diff: z
    .array(
      z.strictObject({
        op: z.enum(['add', 'remove', 'replace']),
        path: z.string(),
        value: jsonValueSchema.optional(),
      }),
    )
    .describe('The JSON Patch (RFC 6902) that makes `previous` `value`.'),
  traceparent: z.string().optional(),
});

const getHistory = endpoint({
  name: 'getHistory',
  method: 'GET',
  route: 'api/v1/history/{*key}',
  summary: 'What changed under a key, who did it, and how',
  access: { verb: 'read', keys: '/{key}' },
  params: { key: pathSchema },
  query: {
    ...paging,
    order: z.enum(['newest', 'oldest']).default('newest').describe('Which changes come first.'),
  },
  responses: {
    200: {
      description: 'A page of changes.',
      body: z.strictObject({
        changes: z.array(changeSchema),
        revision: z.int().describe('Of the scope.'),
        compactedTo: z.int().describe('Changes up to this revision are gone; 0 where all are there.'),
        next: z.string().optional().describe('Cursor of the next page, for `after`.'),
      }),
      headers: ['X-Skerry-Revision'],
    },
  },
  async handle({ ns, params, query }, { records }) {
    const prefix = `/${params.key}`;
    checkPublicKey(prefix);
    const scope = scopeOfPrefix(ns, prefix);
    if (scope === undefined) {
      throw invalid(`The keys under "${prefix}" belong to several scopes, each with a history of its own.`, {
        field: 'key',
        fix: 'Name a key of one scope, such as "kv/STORE", "srv/SERVICE" or "app".',
      });
    }
    const { changes, ...page } = await records.history<Json>(scope, { ...query, prefix });
    return json(200, { changes: changes.map(describeChange), ...page }, { revision: page.revision });
  },
});

const compactStore = endpoint({
  name: 'compactStore',
  method: 'POST',
  route: 'api/v1/kv-compact/{store}',
  summary: 'Cuts off the history of a store',
  access: { verb: 'admin', keys: '/kv/{store}/' },
  body: z.strictObject({
    revision: z.int().min(1).describe('Changes up to and including this one go, but never the newest.'),
  }),
  responses: {
    200: {
      description: 'The history is cut off.',
      body: z.strictObject({ compactedTo: z.int().describe('Changes up to this revision are gone.') }),
    },
  },
  errors: ['unprocessable'],
  async handle({ ns, params, body }, { compaction }) {
    const { compactedTo } = await compaction.cutOff({ ns, kind: 'kv', name: params.store }, body.revision);
    return json(200, { compactedTo });
  },
});

const policyShape = {
  minChanges: z.int().min(1).max(1_000_000).describe('The newest changes that are kept.'),
  minDays: z.number().min(0).max(3650).describe('Changes that are younger are kept.'),
};
const policySchema = z.strictObject(policyShape);
const entrySchema = z.strictObject({
  ...policyShape,
  revision: z.int().optional().describe('Absent where the settings decide.'),
});
const retentionRoute = 'api/v1/retention/{*scope}';

const getRetention = endpoint({
  name: 'getRetention',
  method: 'GET',
  route: retentionRoute,
  summary: 'How much history a scope keeps: `app`, `kv/STORE`, `srv/SERVICE`…',
  access: { verb: 'read', keys: '/{scope}/' },
  params: { scope: pathSchema },
  requestHeaders: ['If-None-Match'],
  responses: {
    200: { description: 'What is kept.', body: entrySchema, headers: ['ETag', 'X-Skerry-Revision'] },
    304: { description: 'It is as the caller knows it.', headers: ['ETag'] },
  },
  async handle({ ns, params, headers }, { retention }) {
    const entry = await retention.get(ns, params.scope);
    return answerRead(headers, factsOf(entry), () => entry);
  },
});

const putRetention = endpoint({
  name: 'putRetention',
  method: 'PUT',
  route: retentionRoute,
  summary: 'Says how much history a scope keeps, whatever the settings say',
  access: { verb: 'admin', keys: '/{scope}/' },
  params: { scope: pathSchema },
  body: policySchema,
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: { description: 'What is kept.', body: entrySchema, headers: ['ETag', 'X-Skerry-Revision'] },
  },
  async handle({ ns, params, body, author, headers }, { retention }) {
    const options = { author, precondition: readPrecondition(headers) };
    const entry = await retention.put(ns, params.scope, body, options);
    return json(200, entry, factsOf(entry));
  },
});

const deleteRetention = endpoint({
  name: 'deleteRetention',
  method: 'DELETE',
  route: retentionRoute,
  summary: 'Lets the settings say how much history a scope keeps',
  access: { verb: 'admin', keys: '/{scope}/' },
  missing: ({ scope }, ns) => noRetention(ns, scope),
  params: { scope: pathSchema },
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The settings decide.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found'],
  async handle({ ns, params, author, headers }, { retention }) {
    const options = { author, precondition: readPrecondition(headers) };
    return noContent({ revision: await retention.delete(ns, params.scope, options) });
  },
});

const restoreKeys = endpoint({
  name: 'restoreKeys',
  method: 'POST',
  route: 'api/v1/restore',
  summary: 'Writes values of the past again; keys that did not exist then stay as they are',
  access: { verb: 'write', keys: '/' },
  touches: ({ body }) => [{ verb: 'write', keys: wholeKey(body.key) }],
  body: z.strictObject({
    key: z.string().min(1).describe('A whole key, such as `/kv/STORE/KEY` or `/app/NAME`.'),
    revision: z.int().min(1).describe('Of the scope of the key.'),
    prefix: z.boolean().default(false).describe('Also the keys below, by whole segments.'),
  }),
  responses: {
    200: {
      description: 'The keys hold what they held then.',
      body: z.strictObject({
        restored: z.int(),
        unchanged: z.int(),
        atomic: z.boolean().describe('Whether all went in one transaction.'),
        batches: z.int(),
        revision: z.int().describe('Of the scope, after it.'),
      }),
      headers: ['X-Skerry-Revision'],
    },
  },
  errors: ['unprocessable', 'compacted'],
  async handle({ ns, body, author }, { records, clock }) {
    const request = { ...body, key: wholeKey(body.key) };
    const restoration = await restore({ records, clock }, ns, request, author);
    return json(200, restoration, { revision: restoration.revision });
  },
});

export const historyEndpoints = [
  getHistory,
  compactStore,
  getRetention,
  putRetention,
  deleteRetention,
  restoreKeys,
];

function factsOf({ revision }: { readonly revision?: number }) {
  return revision === undefined ? {} : { etag: revisionTag(revision), revision };
}

function wholeKey(key: string): string {
  return key.startsWith('/') ? key : `/${key}`;
}

function describeChange(change: Change<Json>) {
  const { revision, key, type, value = null, actor, at, traceparent, transaction } = change;
  const previous = change.previous?.value ?? null;
  return {
    revision,
    key,
    type,
    value,
    previous,
    diff: diffJson(previous, value),
    actor,
    at,
    traceparent,
    transaction,
  };
}
