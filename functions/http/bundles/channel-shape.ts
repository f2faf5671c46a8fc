import { z } from 'zod';
import { referenceNameSchema } from '../../../shared/bundles/index.ts';
import { jsonValueSchema } from '../json-value.ts';

const MAX_STEPS = 20;
/** Seconds: thirty days. */
const MAX_BAKE = 30 * 24 * 60 * 60;
/** Each consumer that reports failure stands in the record of the channel. */
const MAX_FAILURES = 100;

const stepSchema = z.strictObject({
  percent: z.int().min(1).max(100).describe('Of the consumers; more than in the step before.'),
  bake: z
    .int()
    .min(1)
    .max(MAX_BAKE)
    .describe('Seconds until the next step; after the last one, until everybody has the new version.'),
});

export const strategySchema = z.strictObject({
  steps: z.array(stepSchema).min(1).max(MAX_STEPS),
  maxFailures: z
    .int()
    .min(1)
    .max(MAX_FAILURES)
    .default(1)
    .describe('With so many consumers that report failure the rollout has failed; 1 unless given.'),
});

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
      steps: z.array(stepSchema),
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
