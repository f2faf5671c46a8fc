import { z } from 'zod';
import { nameSchema } from '../../platform/http/index.ts';
import { MAX_VERSION } from '../bundle.ts';

/** What stands for the newest version wherever a number may stand. */
export const LATEST = 'latest';

/** The rule for what may stand where a version's number may: names of channels, and labels. Of patterns, which schemas for others can say too. */
export const referenceNameSchema = nameSchema
  .regex(/^(?!\d+$)/, 'must not be a number, which stands for a version')
  .regex(/^(?!latest$)/, `must not be "${LATEST}", which stands for the newest version`);

/** What may stand for a version: a number, `latest`, a channel or a label. */
export const referenceSchema: z.ZodType<string, string> = nameSchema.describe(
  'A number, `latest`, a channel or a label.',
);

/** As it stands in a body, where a number may be one. */
export const referenceInBodySchema = z
  .union(
    [z.int().min(1).max(MAX_VERSION).transform(String), referenceSchema],
    `must be a whole number from 1 to ${MAX_VERSION}, "${LATEST}", or the name of a channel or a label`,
  )
  .describe('A number, `latest`, a channel or a label.');

/** The number that a reference is; undefined for a name, 0 for digits that number no version. */
export function versionNumberOf(reference: string): number | undefined {
  if (!/^\d+$/.test(reference)) return undefined;
  const number = /^[1-9]\d*$/.test(reference) ? Number(reference) : 0;
  return number <= MAX_VERSION ? number : 0;
}
