import { z } from 'zod';
import type { Json } from '../../records/index.ts';
import { PART_ID_PATTERN, partIdSchema, tagSchema } from '../name.ts';
import { PARAMETER_TYPES, type TemplateDefinition } from './template.ts';

/** Parameters of a template. */
export const MAX_PARAMETERS = 200;
/** Resources of an environment, and so of a template. */
export const MAX_RESOURCES = 2_000;

const jsonSchema = z.custom<Json>((value) => value !== undefined, 'must be JSON').describe('Any JSON value.');

const dependenciesSchema = z
  .array(
    z.union(
      [z.string().min(1).max(200), z.strictObject({ external: z.string().min(1).max(500) })],
      'must be a name, or {"external": "…"}',
    ),
  )
  .describe(
    'What comes before: a resource of the same template, `TEMPLATE.ID` of another, `group:ID`, or `{"external": "…"}`.',
  );

const urlsSchema = z.array(z.string().min(1).max(2_000));

const parameterSchema = z.strictObject({
  type: z.enum(PARAMETER_TYPES),
  description: z.string().max(2_000).optional(),
  default: jsonSchema.optional().describe('Without it a value has to be given.'),
  enum: z.array(jsonSchema).min(1).optional().describe('The values that are allowed.'),
});

const actionSchema = z.strictObject({
  name: partIdSchema,
  executor: z.string().min(1).max(60).describe('Who does it, such as `config` or `http`.'),
  app: z
    .strictObject({ url: z.string().max(2_000).optional(), name: z.string().max(200).optional() })
    .optional(),
  command: jsonSchema.describe(
    'What the executor is told. Texts may hold `${parameters.NAME}`, `${environment.id}`, `${template.id}`, `${resource.id}` and `${resources.ID.outputs.NAME}`.',
  ),
  timeoutSeconds: z.int().min(1).max(604_800).optional().describe('Over all attempts; 3,600 without it.'),
  maxAttempts: z.int().min(1).max(20).optional().describe('5 without it.'),
});

const resourceSchema = z.strictObject({
  id: partIdSchema,
  name: z.string().min(1).max(200).optional(),
  description: z.string().max(2_000).optional(),
  tags: z.array(tagSchema).max(50).optional(),
  count: z
    .union(
      [z.int().min(0), z.string().max(200)],
      'must be a whole number, or a text such as ${parameters.nodes}',
    )
    .optional()
    .describe('How many, 1 without it; with 0 it is not made.'),
  dependsOn: dependenciesSchema.optional(),
  actions: z
    .strictObject({
      create: partIdSchema.optional(),
      update: partIdSchema.optional().describe('`create` again without it.'),
      destroy: partIdSchema.optional(),
    })
    .optional()
    .describe('Names of actions; a verb without one only records.'),
  links: urlsSchema.max(50).optional(),
  statusEndpoints: urlsSchema.max(20).optional(),
});

const groupSchema = z.strictObject({
  id: partIdSchema,
  name: z.string().min(1).max(200).optional(),
  tags: z.array(tagSchema).max(50).optional(),
  resources: z.array(partIdSchema).max(MAX_RESOURCES),
  dependsOn: dependenciesSchema.optional().describe('What comes before all of the group.'),
});

/** The members of a template as they are sent. */
export const templateShape = {
  name: z.string().min(1).max(200),
  description: z.string().max(2_000).optional(),
  commit: z.string().max(200).optional().describe('The commit that it was made from.'),
  tags: z.array(tagSchema).max(50).default([]),
  parameters: z
    .record(
      z.string().regex(PART_ID_PATTERN, 'must be 1 to 60 letters, digits, hyphens or underscores'),
      parameterSchema,
    )
    .default({}),
  actions: z.array(actionSchema).default([]),
  resourceGroups: z.array(groupSchema).default([]),
  resources: z.array(resourceSchema).default([]),
  dependsOn: z
    .array(partIdSchema)
    .max(50)
    .default([])
    .describe("Templates whose resources come before all of this one's, in environments that have both."),
  entrypoints: urlsSchema.max(50).default([]).describe('URLs at which the environment is entered.'),
};

export const templateDefinitionSchema = z.strictObject(templateShape);

/** Members that are left out are absent, not undefined. */
export function toDefinition(input: z.output<typeof templateDefinitionSchema>): TemplateDefinition {
  return JSON.parse(JSON.stringify(input)) as TemplateDefinition;
}
