import { z } from 'zod';
import { referenceNameSchema, rolloutStepSchema } from '../../../shared/bundles/index.ts';
import { jsonValueSchema } from '../json-value.ts';

export const gatesSchema = z.strictObject({
  required: z.array(z.string()).optional().describe('Paths of files that must be there.'),
  schemas: z
    .record(
      z.string(),
      z.union([z.boolean(), z.record(z.string(), jsonValueSchema)], 'must be an object, true or false'),
    )
    .optional()
    .describe('JSON Schemas (2020-12) by the paths of JSON or YAML files that must satisfy them.'),
  webhook: z
    .string()
    .optional()
    .describe('A URL that is sent a POST, and has to answer 2xx without content or with `{"valid": true}`.'),
});

export const channelSchema = z.strictObject({
  channel: referenceNameSchema,
  version: z.int().describe('What everybody gets whom no rollout has reached.'),
  previous: z.int().optional().describe('What it stood for before.'),
  rollout: z
    .strictObject({
      version: z.int(),
      state: z.enum(['rolling', 'paused', 'done', 'failed', 'aborted']),
      steps: z.array(rolloutStepSchema),
      step: z.int().describe('Index of the present step, or the one at which it ended.'),
      percent: z.int().describe('Of the consumers, who get its version at present.'),
      stepSince: z.iso.datetime().describe('Since when the step bakes; paused time does not count.'),
      baked: z.number().optional().describe('Of a paused one: seconds that the step has baked before.'),
      maxFailures: z.int(),
      failures: z.array(z.string()).describe('Consumers that reported failure.'),
      reason: z.string().optional().describe('Why it failed or was aborted.'),
    })
    .optional()
    .describe('The newest rollout, under way or over.'),
  gates: gatesSchema.optional(),
  revision: z.int(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
