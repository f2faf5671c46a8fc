import { z } from 'zod';

/** The rule for names and ids in paths, keys and bodies (docs/api.md, "Fields"). */
export const NAME_PATTERN = /^(?!\.{1,2}$)[0-9A-Za-z._-]{1,128}$/;

export const nameSchema = z
  .string()
  .regex(NAME_PATTERN, 'must be 1 to 128 letters, digits, dots, underscores or hyphens, and not "." or ".."');
