import { z } from 'zod';

const MAX_STEPS = 20;
/** Seconds: thirty days. */
const MAX_BAKE = 30 * 24 * 60 * 60;
/** Each consumer that reports failure stands in the record of the channel. */
const MAX_FAILURES = 100;

export const rolloutStepSchema = z.strictObject({
  percent: z.int().min(1).max(100).describe('Of the consumers; more than in the step before.'),
  bake: z
    .int()
    .min(1)
    .max(MAX_BAKE)
    .describe('Seconds until the next step; after the last one, until everybody has the new version.'),
});

export const strategySchema = z.strictObject({
  steps: z.array(rolloutStepSchema).min(1).max(MAX_STEPS),
  maxFailures: z
    .int()
    .min(1)
    .max(MAX_FAILURES)
    .default(1)
    .describe('With so many consumers that report failure the rollout has failed; 1 unless given.'),
});
