import { z } from 'zod';
import {
  type Comparison,
  type KeyValue,
  type Operation,
  pathOfKey,
  rawContentOf,
  toRawValue,
  unknownKey,
} from '../../shared/kv/index.ts';
import { invalid } from '../../shared/platform/errors.ts';
import {
  allowedAgeSeconds,
  answerRead,
  answerReadWith,
  canonicalLocation,
  canonicalPath,
  content,
  flag,
  isJsonType,
  json,
  noContent,
  paging,
  parseJsonContent,
  type RawContent,
  rawContent,
  readPrecondition,
  revisionTag,
  type Touch,
  type Verb,
  wholeNumber,
} from '../../shared/platform/http/index.ts';
import type { Json } from '../../shared/records/index.ts';
import { endpoint } from './endpoint.ts';
import { jsonValueSchema } from './json-value.ts';
import { MAX_TTL } from './time-limits.ts';

/** Bytes; room for what JSON that is written for people has beside 256 KiB of content. */
const MAX_CONTENT_BODY_BYTES = 300 * 1024;
/** Bytes; as much as a transaction can hold, with some room for what is no value. */
const MAX_TRANSACTION_BODY_BYTES = 1024 * 1024;
/** As many digits as a query parameter may have. */
const MAX_REVISION = 999_999_999_999_999;

/** What is stored is checked by the domain: the rules are those of the whole key, store and all. */
const keySchema = z.string();

const valueSchema = jsonValueSchema.describe(
  'Any JSON. Content that is none is `{"$text": "…", "contentType": "text/plain"}`, or `{"$bytes": "<base64>", "contentType": "image/png"}`.',
);

const factsShape = {
  key: keySchema,
  revision: z.int().describe("Of the key's newest change."),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().optional().describe('From when on the key is gone.'),
  lease: z.string().optional().describe('The session lease that the key lives as long as.'),
};

const keyFactsSchema = z.strictObject(factsShape);
const keyValueSchema = z.strictObject({ ...factsShape, value: valueSchema });

const keyListingSchema = z.strictObject({
  items: z.array(z.strictObject({ ...factsShape, value: valueSchema.optional() })),
  revision: z.int().describe('Of the store.'),
  next: z.string().optional().describe('Cursor of the next page, for `after`.'),
});

const getKey = endpoint({
  name: 'getKey',
  method: 'GET',
  route: 'api/v1/kv/{store}/{*key}',
  summary:
    'The content of a key, with the content type that it was put with; without a key, the keys of the store',
  access: { verb: 'read', keys: '/kv/{store}/{key}' },
  touches: ({ params: { store, key }, query: { prefix = '' } }) =>
    key === ''
      ? [{ verb: 'list', keys: `/kv/${store}/${prefix}` }]
      : [{ verb: 'read', keys: `/kv/${store}/${key}` }],
  missing: ({ store, key }, ns, { revision }) =>
    key === '' ? undefined : unknownKey(ns, store, key, revision),
  params: { key: keySchema },
  query: {
    ...paging,
    prefix: z
      .string()
      .optional()
      .describe(
        'Only keys under this one, by whole segments: `a` covers `a` and `a/b`, `a/` only what is below.',
      ),
    keysOnly: flag().describe('Leaves out the values.'),
    revision: wholeNumber({ minimum: 1, maximum: MAX_REVISION })
      .optional()
      .describe('Shows the key, or the keys, as the store had them at this revision of its own.'),
  },
  requestHeaders: ['If-None-Match', 'Cache-Control'],
  responses: {
    200: {
      description: 'The content; a listing of the keys where none is named.',
      body: z.union([valueSchema, keyListingSchema]),
      orContent: true,
      headers: ['ETag', 'X-Skerry-Revision', 'Last-Modified', 'Age'],
    },
    304: {
      description: 'It is as the caller knows it.',
      headers: ['ETag', 'X-Skerry-Revision', 'Last-Modified', 'Age'],
    },
  },
  errors: ['not-found', 'compacted'],
  async handle({ ns, params, query, headers }, { keyValues }) {
    const { store, key } = params;
    const { keysOnly, ...options } = query;
    if (key === '') {
      const maxAgeSeconds = allowedAgeSeconds(headers);
      const { items, revision, hidesLapsed, ageSeconds, next } = await keyValues.list(ns, store, {
        ...options,
        maxAgeSeconds,
      });
      const facts = { revision, ageSeconds, ...(!hidesLapsed && { etag: revisionTag(revision) }) };
      return answerRead(headers, facts, () => ({
        items: keysOnly ? items.map(factsOf) : items,
        revision,
        next,
      }));
    }
    if (options.prefix !== undefined || options.after !== undefined || keysOnly) {
      throw invalid('A key is read as a whole, not listed.', {
        field: options.prefix !== undefined ? 'prefix' : options.after !== undefined ? 'after' : 'keysOnly',
        fix: `List keys with GET ${canonicalPath(ns, `kv/${store}/`)} and a "prefix".`,
      });
    }
    const keyValue = await keyValues.get(ns, store, key, query.revision);
    if (keyValue === undefined) {
      throw unknownKey(ns, store, key, query.revision);
    }
    const { value, revision, updatedAt } = keyValue;
    // A cache that is told when something was last modified may otherwise guess for how long it stays so.
    const dates = { 'Last-Modified': new Date(updatedAt).toUTCString(), 'Cache-Control': 'no-cache' };
    const facts = { etag: revisionTag(revision), revision, headers: dates };
    return answerReadWith(headers, facts, () => {
      const raw = rawContentOf(value);
      return raw === undefined ? json(200, value, facts) : content(raw.bytes, raw.contentType, facts);
    });
  },
});

const leaseSchema = z
  .string()
  .min(1)
  .max(128)
  .describe('The session lease of the store that the key lives as long as.');

const putKey = endpoint({
  name: 'putKey',
  method: 'PUT',
  route: 'api/v1/kv/{store}/{*key}',
  summary: 'Creates or replaces a key; putting what it holds already changes nothing',
  access: { verb: 'write', keys: '/kv/{store}/{key}' },
  params: { key: keySchema },
  query: {
    ttl: wholeNumber({ minimum: 1, maximum: MAX_TTL })
      .optional()
      .describe('Seconds after which the key is gone; without it the key stays.'),
    lease: leaseSchema.optional(),
  },
  body: rawContent(MAX_CONTENT_BODY_BYTES),
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: {
      description: 'The key was replaced, or held that already.',
      body: keyFactsSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
    201: {
      description: 'The key was created.',
      body: keyFactsSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Location'],
    },
  },
  errors: ['not-found'],
  async handle(request, { keyValues }) {
    const { ns, params, query, body, author, headers } = request;
    const { store, key } = params;
    const { keyValue, created } = await keyValues.put(
      ns,
      store,
      key,
      { value: contentOf(body), ...query },
      { author, precondition: readPrecondition(headers) },
    );
    const facts = { etag: revisionTag(keyValue.revision), revision: keyValue.revision };
    return created
      ? json(201, factsOf(keyValue), {
          ...facts,
          location: canonicalLocation(request, pathOfKey(store, key)),
        })
      : json(200, factsOf(keyValue), facts);
  },
});

const deleteKey = endpoint({
  name: 'deleteKey',
  method: 'DELETE',
  route: 'api/v1/kv/{store}/{*key}',
  summary: 'Deletes a key, or all keys under a prefix; without a key, the prefix is the whole store',
  access: { verb: 'delete', keys: '/kv/{store}/{key}' },
  missing: ({ store, key }, ns, { prefix }) => (prefix ? undefined : unknownKey(ns, store, key)),
  params: { key: keySchema },
  query: {
    prefix: flag().describe('Deletes the key and all below it; with a slash at its end only what is below.'),
    atomic: flag().describe('With `prefix`: refuses rather than to need more than one transaction.'),
  },
  requestHeaders: ['If-Match'],
  responses: {
    200: {
      description:
        'What was deleted by `prefix`: up to 49 keys at once, more in batches that are each atomic.',
      body: z.strictObject({
        deleted: z.int(),
        revision: z.int().describe('Of the store.'),
        atomic: z.boolean().describe('Whether all went at once.'),
        batches: z.int(),
      }),
      headers: ['X-Skerry-Revision'],
    },
    204: { description: 'The key is gone.', headers: ['X-Skerry-Revision'] },
  },
  errors: ['not-found', 'unprocessable', 'too-large'],
  async handle({ ns, params, query, author, headers }, { keyValues }) {
    const { store, key } = params;
    const { prefix, atomic } = query;
    const precondition = readPrecondition(headers);
    if (!prefix) {
      if (atomic) {
        throw invalid('"atomic" is for the keys under a prefix.', {
          field: 'atomic',
          fix: 'Add "prefix=true".',
        });
      }
      const revision = await keyValues.delete(ns, store, key, { author, precondition });
      return noContent({ revision });
    }
    if (precondition !== undefined) {
      throw invalid('A prefix has no entity tag that could be compared.', {
        field: precondition.ifMatch === undefined ? 'If-None-Match' : 'If-Match',
        fix: 'Leave the header out, or use a transaction that compares what matters.',
      });
    }
    const deletion = await keyValues.deletePrefix(ns, store, key, { author, atomic });
    return json(200, deletion, { revision: deletion.revision });
  },
});

const keyOnlySchema = z.strictObject({ key: keySchema });

/** A strict object says better than a union which of its members is at fault. */
const operationSchema = z
  .strictObject({
    put: z
      .strictObject({
        key: keySchema,
        value: valueSchema,
        ttl: z.int().min(1).max(MAX_TTL).optional(),
        lease: leaseSchema.optional(),
      })
      .optional(),
    delete: keyOnlySchema.optional(),
    get: keyOnlySchema.optional(),
  })
  .refine(
    (operation) => Object.keys(operation).length === 1,
    'must be exactly one of "put", "delete" and "get"',
  )
  .transform((operation) => operation as Operation);

const comparisonSchema = z
  .strictObject({
    key: keySchema,
    revision: z.int().min(0).optional().describe('Of its newest change; 0 for a key that does not exist.'),
    value: valueSchema.optional(),
    exists: z.boolean().optional(),
  })
  .refine(
    (comparison) => Object.keys(comparison).length === 2,
    'must be a key and exactly one of "revision", "value" and "exists"',
  )
  .transform((comparison) => comparison as Comparison);

const branchSchema = z.array(operationSchema).default([]);

const transactionSchema = z.strictObject({
  compare: z.array(comparisonSchema).default([]),
  // biome-ignore lint/suspicious/noThenProperty: the word of the API, and never a function.
  then: branchSchema.describe('Done where every comparison holds.'),
  else: branchSchema.describe('Done where one does not hold.'),
});

const transact = endpoint({
  name: 'transact',
  method: 'POST',
  route: 'api/v1/kv-transactions/{store}',
  summary: 'Compares keys of a store, then does one list of operations or the other, all together or none',
  access: { verb: 'write', keys: '/kv/{store}/' },
  touches: ({ params: { store }, body }) => [
    ...body.compare.map(({ key }) => touchOf('read', store, key)),
    ...[...body.then, ...body.else].flatMap((operation) => touchesOf(store, operation)),
  ],
  body: transactionSchema,
  maxBodyBytes: MAX_TRANSACTION_BODY_BYTES,
  responses: {
    200: {
      description: 'What was done, in the order of the operations.',
      body: z.strictObject({
        succeeded: z.boolean().describe('Whether every comparison held.'),
        revision: z.int().describe('Of the store, after the transaction.'),
        results: z.array(
          z.union([
            z.strictObject({
              put: z.strictObject({ key: keySchema, revision: z.int(), previous: keyValueSchema.optional() }),
            }),
            z.strictObject({
              delete: z.strictObject({ key: keySchema, deleted: z.boolean(), revision: z.int().optional() }),
            }),
            z.strictObject({ get: keyValueSchema.nullable() }),
          ]),
        ),
      }),
      headers: ['X-Skerry-Revision'],
    },
  },
  errors: ['unprocessable', 'not-found'],
  async handle({ ns, params, body, author }, { keyValues }) {
    const branches = [body.then, body.else] as const;
    const input = { compare: body.compare, branches };
    const answer = await keyValues.transact(ns, params.store, input, author);
    return json(200, answer, { revision: answer.revision });
  },
});

export const keyValueEndpoints = [getKey, putKey, deleteKey, transact];

/** Of what is put, the answer shows what was there. */
function touchesOf(store: string, operation: Operation): Touch[] {
  if ('put' in operation) {
    const { key } = operation.put;
    return [touchOf('write', store, key), touchOf('read', store, key)];
  }
  return 'delete' in operation
    ? [touchOf('delete', store, operation.delete.key)]
    : [touchOf('read', store, operation.get.key)];
}

function touchOf(verb: Verb, store: string, key: string): Touch {
  return { verb, keys: `/kv/${store}/${key}` };
}

function contentOf({ bytes, contentType }: RawContent): Json {
  return contentType === null || isJsonType(contentType)
    ? (parseJsonContent(bytes, contentType) as Json)
    : toRawValue(bytes, contentType);
}

function factsOf({ value: _, ...facts }: KeyValue): Omit<KeyValue, 'value'> {
  return facts;
}
