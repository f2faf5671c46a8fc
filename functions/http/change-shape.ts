import { z } from 'zod';
import { jsonValueSchema } from './json-value.ts';

export const changeTypeSchema = z.enum(['put', 'delete', 'expire']);

/** What a change shows wherever changes are listed. */
export const changeShape = {
  revision: z.int().describe('Counts within its scope.'),
  key: z.string(),
  type: changeTypeSchema,
  value: jsonValueSchema.describe('Null where the change removed it.'),
  previous: jsonValueSchema.describe('The value before; null where there was none.'),
  actor: z.string(),
  at: z.iso.datetime(),
  transaction: z
    .strictObject({ first: z.int(), last: z.int() })
    .optional()
    .describe('First and last revision of the transaction that the change is part of.'),
};
