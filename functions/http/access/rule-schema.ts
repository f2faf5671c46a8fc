import { z } from 'zod';
import { VERBS } from '../../../shared/platform/http/index.ts';

/** Something that a role allows, as it is shown. */
export const ruleSchema = z.strictObject({
  verbs: z.array(z.enum(VERBS)),
  keys: z.array(z.string()),
  ns: z.array(z.string()),
});
