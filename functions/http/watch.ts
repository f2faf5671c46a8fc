import { z } from 'zod';
import { checkPublicKey, kindsOfPrefix, scopeOfPrefix } from '../../shared/keyspace/index.ts';
import { invalid, notFound, type SkerryError } from '../../shared/platform/errors.ts';
import {
  authorize,
  type EndpointRequest,
  type HttpResponse,
  json,
  list,
  paging,
  wholeNumber,
} from '../../shared/platform/http/index.ts';
import {
  type FoundChange,
  type ResyncPage,
  scopeId,
  type WatchAnswer,
  type WatchRange,
} from '../../shared/records/index.ts';
import type { Services } from '../services.ts';
import { changeShape, changeTypeSchema } from './change-shape.ts';
import { endpoint } from './endpoint.ts';
import { jsonValueSchema } from './json-value.ts';
import { MAX_WAIT_SECONDS } from './time-limits.ts';
import { answerWithEvents } from './watch-stream.ts';
import { nextWhileAllowed } from './while-allowed.ts';

const DEFAULT_WAIT_SECONDS = 30;
/** The share of the wait that is added at most, so that those who began together do not come back together. */
const JITTER = 1 / 16;

const itemSchema = z.strictObject({
  key: z.string(),
  value: jsonValueSchema,
  revision: z.int(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});

const changeSchema = z.strictObject({
  ...changeShape,
  create: z.boolean().describe('Whether there was no such record before.'),
  scope: z.string().optional().describe('The log that the revision counts in, where several are watched.'),
});

const place = {
  revision: z.int().optional().describe('Where to go on, for `since`, where one scope is watched.'),
  cursor: z.string().optional().describe('Where to go on, for `cursor`, where several are watched.'),
};

const answerSchema = z.union([
  z.strictObject({
    resync: z.strictObject({
      items: z.array(itemSchema),
      next: z.string().optional().describe('Cursor of the next page, for `after`.'),
    }),
    ...place,
  }),
  z.strictObject({ changes: z.array(changeSchema), ...place }),
]);

const query = {
  since: wholeNumber({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
    .optional()
    .describe('Changes after this revision, where one scope is watched.'),
  cursor: z.string().min(1).optional().describe('Changes after this place.'),
  wait: wholeNumber({ minimum: 0, maximum: MAX_WAIT_SECONDS })
    .optional()
    .describe(`Seconds to wait for a change, ${DEFAULT_WAIT_SECONDS} unless given.`),
  type: list(changeTypeSchema).describe('Only changes of these types; all unless given.'),
  limit: paging.limit,
  after: z.string().min(1).optional().describe('The `next` of the resync page before.'),
};

const declaration = {
  method: 'GET',
  query,
  requestHeaders: ['Accept', 'Last-Event-ID'],
  responses: {
    200: {
      description: 'A page of what there is and where it stands, or changes, or that there were none.',
      body: answerSchema,
      headers: ['X-Skerry-Revision'],
    },
  },
  errors: ['not-found', 'compacted', 'too-many-requests'],
} as const;

const watchPrefix = endpoint({
  ...declaration,
  name: 'watchPrefix',
  route: 'api/v1/watch/{*prefix}',
  summary: 'What is under a key prefix, and from there on every change',
  access: { verb: 'watch', keys: '/{prefix}' },
  missing: ({ prefix }) => nothingToWatch(`/${prefix}`),
  params: { prefix: z.string() },
  async handle(request, services) {
    return await answerWatch(rangeOf(request.ns, `/${request.params.prefix}`), request, services);
  },
});

const watchNamespace = endpoint({
  ...declaration,
  name: 'watchNamespace',
  route: 'api/v1/watch',
  summary: 'What is in a namespace, and from there on every change',
  access: { verb: 'watch', keys: '/' },
  missing: () => nothingToWatch('/'),
  async handle(request, services) {
    return await answerWatch(rangeOf(request.ns, '/'), request, services);
  },
});

export const watchEndpoints = [watchPrefix, watchNamespace];

type Query = z.output<z.ZodObject<typeof query>>;

/** @throws SkerryError `not-found` for kinds that nobody may watch, as for those that do not exist. */
function rangeOf(ns: string, prefix: string): WatchRange {
  const kinds = kindsOfPrefix(prefix);
  if (kinds.length === 0) {
    throw nothingToWatch(prefix);
  }
  checkPublicKey(prefix);
  return { ns, prefix, scope: scopeOfPrefix(ns, prefix), kinds };
}

function nothingToWatch(prefix: string): SkerryError {
  return notFound(`There is nothing at ${prefix} that can be watched.`, {
    fix: 'Watch "/app", "/srv", "/kv", "/election", "/reg", or what is below one of them.',
  });
}

type WatchRequest = EndpointRequest<unknown, Query, unknown>;

async function answerWatch(
  range: WatchRange,
  request: WatchRequest,
  services: Services,
): Promise<HttpResponse> {
  const { query, headers } = request;
  const cursor = headers.get('last-event-id') || cursorOf(range, query);
  if (headers.get('accept')?.includes('text/event-stream') === true) {
    return await streamChanges(range, cursor, request, services);
  }
  return cursor === undefined
    ? answer(range, toResyncBody(range, await services.watches.resync(range, query)))
    : await pollChanges(range, cursor, request, services);
}

/** Where the caller goes on from; undefined when it begins with a resync. */
function cursorOf({ scope }: WatchRange, { since, cursor, after }: Query): string | undefined {
  if ([since, cursor, after].filter((place) => place !== undefined).length > 1) {
    throw invalid('Only one of "since", "cursor" and "after" makes sense at a time.', {
      field: after === undefined ? 'cursor' : 'after',
      fix: 'Leave "after" out once the resync is complete, and go on from its revision or cursor.',
    });
  }
  if (since !== undefined && scope === undefined) {
    throw invalid('Several scopes are watched here, and each counts its own revisions.', {
      field: 'since',
      fix: 'Go on from the "cursor" of the resync or of the answer before.',
    });
  }
  return cursor ?? since?.toString();
}

async function pollChanges(
  range: WatchRange,
  cursor: string,
  request: WatchRequest,
  services: Services,
): Promise<HttpResponse> {
  const { query, caller } = request;
  const { watches, clock, random } = services;
  const { wait = DEFAULT_WAIT_SECONDS, type, limit } = query;
  const seconds = Math.min(wait * (1 + random.fraction() * JITTER), MAX_WAIT_SECONDS);
  const follower = watches.follow(range, cursor, { types: typesOf(type), limit }, caller.maker.actor);
  try {
    const deadline = clock.now() + 1000 * seconds;
    const checkRight = () => checkMayWatch(range, request, services);
    return answer(range, toChangesBody(range, await nextWhileAllowed(follower, deadline, checkRight, clock)));
  } finally {
    follower.close();
  }
}

async function streamChanges(
  range: WatchRange,
  cursor: string | undefined,
  request: WatchRequest,
  services: Services,
): Promise<HttpResponse> {
  const { query, requestId, caller } = request;
  const { watches, clock, random } = services;
  const { wait = MAX_WAIT_SECONDS, type, limit } = query;
  const seconds = wait * (1 - random.fraction() * JITTER);
  return await answerWithEvents(
    {
      cursor,
      end: clock.now() + 1000 * seconds,
      requestId,
      holder: caller.maker.actor,
      checkRight: () => checkMayWatch(range, request, services),
      resync: (after) => watches.resync(range, { after, limit }),
      follow: (from, place) => watches.follow(range, from, { types: typesOf(type), limit }, place),
      showResync: (page) => toResyncBody(range, page),
      showChanges: (changes) => toChangesBody(range, changes),
      showPlace: (place) => placeOf(range, place),
    },
    services,
  );
}

/** @throws SkerryError as at the beginning, for who may not watch any more. */
async function checkMayWatch(
  { ns, prefix }: WatchRange,
  { caller }: WatchRequest,
  { callerOf }: Services,
): Promise<void> {
  const touch = { verb: 'watch', keys: prefix } as const;
  authorize(await callerOf(caller.maker), ns, [touch], () => nothingToWatch(prefix));
}

function typesOf(types: Query['type']) {
  return types.length === 0 ? undefined : new Set(types);
}

function answer({ scope }: WatchRange, body: z.output<typeof answerSchema>): HttpResponse {
  const { revision } = body;
  return json(200, body, {
    headers: { 'Cache-Control': 'no-store' },
    ...(scope !== undefined && revision !== undefined && { revision }),
  });
}

function toResyncBody(range: WatchRange, { records, next, cursor }: ResyncPage) {
  const items = records.map(({ key, value, revision, createdAt, updatedAt }) => ({
    key,
    value: value as z.output<typeof jsonValueSchema>,
    revision,
    createdAt,
    updatedAt,
  }));
  return { resync: { items, ...(next !== undefined && { next }) }, ...placeOf(range, cursor) };
}

function toChangesBody(range: WatchRange, { changes, cursor }: WatchAnswer) {
  return { changes: changes.map((found) => toChangeItem(range, found)), ...placeOf(range, cursor) };
}

function placeOf({ scope }: WatchRange, cursor: string) {
  return scope === undefined ? { cursor } : { revision: Number(cursor) };
}

function toChangeItem(range: WatchRange, { scope, change }: FoundChange): z.output<typeof changeSchema> {
  const { revision, key, type, value, previous, actor, at, transaction } = change;
  return {
    revision,
    key,
    type,
    value: (value ?? null) as z.output<typeof jsonValueSchema>,
    previous: (previous?.value ?? null) as z.output<typeof jsonValueSchema>,
    create: value !== undefined && previous === undefined,
    actor,
    at,
    ...(range.scope === undefined && { scope: scopeId(scope) }),
    ...(transaction !== undefined && { transaction }),
  };
}
