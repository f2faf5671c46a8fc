import { z } from 'zod';
import {
  ANY_RESOURCE_ID_PATTERN,
  ENVIRONMENT_STATES,
  tagSchema as givenTagSchema,
  type ResourceStatus,
} from '../../../shared/environments/index.ts';
import { list, revisionTag } from '../../../shared/platform/http/index.ts';
import { jsonValueSchema } from '../json-value.ts';

export const resourceIdSchema = z
  .string()
  .regex(ANY_RESOURCE_ID_PATTERN, 'must be an id such as NAME, or TEMPLATE.NAME where a template made it');

export const RESOURCE_STATUSES = [
  'deploying',
  'ok',
  'failed',
  'destroying',
] as const satisfies readonly ResourceStatus[];

export const tagSchema = z.strictObject({ name: z.string(), value: z.string() });

export const inputTagsSchema = z.array(givenTagSchema).max(50).default([]);

export const tagFilter = list(z.string().min(1).max(400)).describe(
  '`NAME:VALUE`, or `NAME` for any value; given repeatedly, those that have all of them.',
);

const templateUseSchema = z.strictObject({
  id: z.string(),
  version: z.int(),
  parameters: z.record(z.string(), jsonValueSchema).describe('With the defaults filled in.'),
});

const healthSchema = z.strictObject({
  state: z.enum(['healthy', 'unhealthy']),
  since: z.iso.datetime(),
  detail: z.string().optional(),
});

export const dependenciesSchema = z
  .array(z.union([z.string().min(1).max(200), z.strictObject({ external: z.string().min(1).max(500) })]))
  .max(200)
  .describe('What comes before: a resource by its id, `group:ID`, or `{"external": "…"}`.');

const dates = { revision: z.int(), createdAt: z.iso.datetime(), updatedAt: z.iso.datetime() };

export const environmentSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  description: z.string().optional(),
  tags: z.array(tagSchema),
  state: z.enum(ENVIRONMENT_STATES),
  stateSince: z.iso.datetime(),
  reason: z.string().optional().describe('Why it is in this state, where that is not plain.'),
  failedBy: z.literal('health').optional(),
  createdOn: z.iso.datetime(),
  destroyedOn: z.iso.datetime().optional(),
  destructionPlannedOn: z.iso.datetime().optional(),
  destructionWarnedOn: z.iso.datetime().optional(),
  destructionOperation: z.string().optional().describe('The operation that destroys it as planned.'),
  templates: z.array(templateUseSchema),
  entrypoints: z.array(z.string()),
  statusEndpoints: z.array(z.string()),
  health: healthSchema.optional().describe('What its own status endpoints say.'),
  operation: z.string().optional().describe('The operation that works on it; not told by a listing.'),
  drift: z
    .array(
      z.strictObject({
        resource: z.string().optional().describe('Absent where it is about the environment.'),
        expected: jsonValueSchema,
        observed: jsonValueSchema,
      }),
    )
    .optional()
    .describe('How it differs from what it should be; not told by a listing.'),
  ...dates,
});

export const resourceSchema = z.strictObject({
  id: z.string(),
  environment: z.string(),
  name: z.string(),
  description: z.string().optional(),
  tags: z.array(tagSchema),
  template: templateUseSchema.optional().describe('What made it; absent where it was written down by hand.'),
  count: z.int(),
  createdOn: z.iso.datetime().optional(),
  status: z.enum(RESOURCE_STATUSES),
  statusSince: z.iso.datetime(),
  detail: z.string().optional(),
  links: z.array(z.string()),
  statusEndpoints: z.array(z.string()),
  dependencies: dependenciesSchema,
  outputs: z.record(z.string(), jsonValueSchema).optional(),
  health: healthSchema.optional(),
  drift: z.string().optional(),
  ...dates,
});

export const resourceGroupSchema = z.strictObject({
  id: z.string(),
  environment: z.string(),
  name: z.string(),
  tags: z.array(tagSchema),
  template: templateUseSchema.optional().describe('What made it; absent where it was written down by hand.'),
  resources: z.array(z.string()),
  dependencies: dependenciesSchema,
  ...dates,
});

/** What the headers of an answer say of the item in it. */
export function factsOf({ revision }: { readonly revision: number }) {
  return { etag: revisionTag(revision), revision };
}
