import { z } from 'zod';
import { ACCESS_KINDS, type AuditFilter, type AuditPage } from '../../shared/audit/index.ts';
import { invalid, SkerryError } from '../../shared/platform/errors.ts';
import {
  authorize,
  type Caller,
  flag,
  type HttpResponse,
  json,
  nothingAt,
  paging,
  preferredType,
  type Touch,
  VERBS,
} from '../../shared/platform/http/index.ts';
import type { Services } from '../services.ts';
import { changeShape } from './change-shape.ts';
import { endpoint } from './endpoint.ts';
import { MAX_WAIT_SECONDS } from './time-limits.ts';

const JSON_TYPE = 'application/json';
const NDJSON = 'application/x-ndjson';
const MAX_KEY_CHARACTERS = 500;
const MAX_ACTOR_CHARACTERS = 500;
/** Entries that a stream reads at a time. */
const ENTRIES_AT_ONCE = 1000;

const changeEntrySchema = z.strictObject({
  kind: z.literal('change'),
  ...changeShape,
  value: changeShape.value
    .optional()
    .describe('Absent where the caller may not see it; null where the change removed it.'),
  previous: changeShape.previous.optional(),
  ns: z.string(),
  scope: z.string().describe('The log that the revision counts in.'),
  traceparent: z.string().optional(),
});

const accessEntrySchema = z.strictObject({
  kind: z
    .enum(ACCESS_KINDS)
    .describe('`unlisted`: further refusals, of more kinds than are told apart at a time.'),
  at: z.iso.datetime().describe('Of the last of them.'),
  actor: z.string().optional().describe('Who was denied something, or shown secrets in clear.'),
  address: z.string().optional().describe('Where the last request came from.'),
  endpoint: z.string().optional().describe('The operation id.'),
  verb: z.enum(VERBS).optional(),
  ns: z.string().optional(),
  key: z.string().optional(),
  isFaulty: z
    .boolean()
    .optional()
    .describe('Whether credentials came that were not accepted; else none came.'),
  count: z.int().describe('Equal ones within some ten seconds.'),
  firstAt: z.iso.datetime(),
  lastAt: z.iso.datetime(),
});

const time = (what: string) => z.iso.datetime({ offset: true }).optional().describe(what);

const query = {
  ...paging,
  actor: z
    .string()
    .min(1)
    .max(MAX_ACTOR_CHARACTERS)
    .optional()
    .describe('Only what they did, were refused, or were shown.'),
  key: z
    .string()
    .startsWith('/')
    .max(MAX_KEY_CHARACTERS)
    .optional()
    .describe('Only this key and those below it, by whole segments.'),
  since: time('Only what happened at this time or later.'),
  until: time('Only what happened before this time.'),
  kind: z
    .enum(['change', ...ACCESS_KINDS])
    .optional()
    .describe('Only entries of this kind.'),
  allNamespaces: flag().describe('Entries of all namespaces, for those who may admin `/access`.'),
};

type Query = z.output<z.ZodObject<typeof query>>;

const getAudit = endpoint({
  name: 'getAudit',
  method: 'GET',
  route: 'api/v1/audit',
  summary: 'What happened, the oldest first: who changed what, who was refused what, and who saw secrets',
  access: { verb: 'read', keys: '/' },
  touches: ({ query }) => touchesOf(query),
  query,
  requestHeaders: ['Accept'],
  responses: {
    200: {
      description:
        'A page of entries; as `application/x-ndjson` all of them, a line each, and at the end a line of the kind `end`.',
      body: z.strictObject({
        entries: z.array(z.union([changeEntrySchema, accessEntrySchema])),
        next: z.string().optional().describe('Cursor of the next page, for `after`.'),
      }),
      orContent: true,
      headers: ['Vary'],
    },
  },
  errors: ['not-acceptable'],
  async handle({ ns, caller, headers, query }, services) {
    const type = preferredType(headers, [JSON_TYPE, NDJSON]);
    if (type === undefined) {
      throw new SkerryError('not-acceptable', 'The audit is told as JSON or as lines of JSON.', {
        field: 'Accept',
        fix: `Accept ${JSON_TYPE} or ${NDJSON}.`,
      });
    }
    const filter = filterOf(ns, query);
    const vary = { Vary: 'Accept' };
    if (type === JSON_TYPE) {
      const { limit, after } = query;
      return json(200, await services.audit.page({ ...filter, limit, after }, caller), { headers: vary });
    }
    // Who reads for minutes may lose the right meanwhile.
    const reader = async () => {
      const now = await services.callerOf(caller.maker);
      authorize(now, ns, touchesOf(query), () => nothingAt('/api/v1/audit'));
      return now;
    };
    return streamOf(filter, query.after, reader, services, vary);
  },
});

export const auditEndpoints = [getAudit];

function touchesOf({ key = '/', allNamespaces }: Query): readonly Touch[] {
  return [allNamespaces ? { verb: 'admin', keys: '/access', ns: 'default' } : { verb: 'read', keys: key }];
}

function filterOf(ns: string, { actor, key, since, until, kind, allNamespaces }: Query): AuditFilter {
  const [from, end] = [since, until].map((text) => (text === undefined ? undefined : Date.parse(text)));
  if (from !== undefined && end !== undefined && from >= end) {
    throw invalid('Nothing happens from "since" until "until".', {
      field: 'until',
      fix: 'Give a time that is later than "since".',
    });
  }
  return { ns: allNamespaces ? undefined : ns, actor, key, since: from, until: end, kind };
}

function streamOf(
  filter: AuditFilter,
  after: string | undefined,
  reader: () => Promise<Caller>,
  { audit, clock }: Services,
  headers: Readonly<Record<string, string>>,
): HttpResponse {
  const deadline = clock.now() + 1000 * MAX_WAIT_SECONDS;
  async function* lines(): AsyncGenerator<Uint8Array> {
    let next = after;
    let count = 0;
    do {
      const request = { ...filter, after: next, limit: ENTRIES_AT_ONCE };
      const page: AuditPage = await audit.page(request, await reader());
      next = page.next;
      count += page.entries.length;
      if (page.entries.length > 0) {
        yield Buffer.from(page.entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
      }
    } while (next !== undefined && clock.now() < deadline);
    // Whoever does not find this line knows that something is missing.
    yield Buffer.from(
      `${JSON.stringify({ kind: 'end', entries: count, ...(next !== undefined && { next }) })}\n`,
    );
  }
  return { status: 200, headers: { ...headers, 'Content-Type': NDJSON }, body: async () => lines() };
}
