import { z } from 'zod';
import { nameSchema, webUrlSchema } from '../platform/http/index.ts';
import type { Json } from '../records/index.ts';
import { ANY_RESOURCE_ID_PATTERN, MEMBER_ID_PATTERN, partIdSchema, tagSchema } from './name.ts';
import { MAX_TEMPLATE_VERSION } from './templates/template.ts';

/** Not a record, which would lose a member named `__proto__` without a word, rather than to refuse it. */
const parameterValuesSchema = z
  .custom<Record<string, Json>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be an object',
  )
  .meta({ type: 'object', additionalProperties: true, description: 'Values of parameters by name.' });

export const urlsSchema = z.array(webUrlSchema).max(50);

/** The members of an environment as they are sent. */
export const environmentShape = {
  name: z.string().min(1).max(200),
  description: z.string().max(2_000).optional(),
  tags: z.array(tagSchema).max(50).optional(),
  templates: z
    .array(
      z.strictObject({
        id: partIdSchema,
        version: z
          .int()
          .min(1)
          .max(MAX_TEMPLATE_VERSION)
          .optional()
          .describe('The newest one without it, which then stays.'),
        parameters: parameterValuesSchema.optional(),
      }),
    )
    .max(50)
    .optional()
    .describe('What it is made from.'),
  destructionPlannedOn: z.iso
    .datetime({ offset: true })
    .nullable()
    .optional()
    .describe('When it is destroyed by itself; null to let it stay.'),
  entrypoints: urlsSchema.optional().describe("URLs at which it is entered, besides its templates'."),
  statusEndpoints: urlsSchema.optional().describe('URLs that tell whether it is healthy.'),
};

/** Of an update: what is left out stays. */
export const environmentChangeShape = { ...environmentShape, name: environmentShape.name.optional() };

const id = nameSchema;
const resource = z
  .string()
  .regex(ANY_RESOURCE_ID_PATTERN, 'must be TEMPLATE.RESOURCE, or the id of one that was written down by hand')
  .describe('`TEMPLATE.RESOURCE`, or the id of one that was written down by hand.');

export const createDataSchema = z.strictObject({
  environment: z.strictObject({ id, ...environmentShape }),
});
export const updateDataSchema = z.strictObject({
  environment: z.strictObject({ id, ...environmentChangeShape }),
});
export const destroyDataSchema = z.strictObject({
  environment: id,
  plannedFor: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('Only if its destruction is still planned for then when its turn comes.'),
});
export const runDataSchema = z.strictObject({
  environment: id,
  action: z
    .string()
    .regex(MEMBER_ID_PATTERN, 'must be TEMPLATE.ACTION')
    .describe('`TEMPLATE.ACTION`, of a template of the environment.'),
  resource: resource.optional(),
  parameters: parameterValuesSchema.optional().describe('In place of those of the environment.'),
});
export const refreshDataSchema = z.strictObject({ environment: id, resource: resource.optional() });

export type EnvironmentChange = z.output<typeof updateDataSchema>['environment'];
export type CreateData = z.output<typeof createDataSchema>;
export type UpdateData = z.output<typeof updateDataSchema>;
export type DestroyData = z.output<typeof destroyDataSchema>;
export type RunData = z.output<typeof runDataSchema>;
export type RefreshData = z.output<typeof refreshDataSchema>;
