import type { z } from 'zod';
import { invalid } from '../errors.ts';

/** What kind of thing the checked input is made of, for messages. */
export type InputPart = 'path parameter' | 'query parameter' | 'field';

/**
 * The input as the schema gives it back.
 *
 * @throws SkerryError `invalid` that names the first faulty field and what to do about it.
 */
export function checkInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  part: InputPart,
): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) {
    return result.data;
  }
  const [issue] = result.error.issues;
  throw invalid(`${part}: ${issue?.message}`);
}
