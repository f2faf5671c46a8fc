import { z } from 'zod';

/** Of templates, their resources and groups: no dot, which joins a template's id and a resource's in an environment. */
export const PART_ID_PATTERN = /^[0-9A-Za-z_-]{1,60}$/;

export const partIdSchema = z
  .string()
  .regex(PART_ID_PATTERN, 'must be 1 to 60 letters, digits, hyphens or underscores');

/** What an environment has of a template: `TEMPLATE.ID`. */
export const MEMBER_ID_PATTERN = /^[0-9A-Za-z_-]{1,60}\.[0-9A-Za-z_-]{1,60}$/;

export const tagSchema = z.strictObject({
  name: z.string().min(1).max(128),
  value: z.string().max(256),
});

/** How a group stands where a resource may. */
export const GROUP_PREFIX = 'group:';

/** Of a resource, also of one that was written down by hand, which has no dot. */
export const ANY_RESOURCE_ID_PATTERN = /^[0-9A-Za-z_-]{1,60}(?:\.[0-9A-Za-z_-]{1,60})?$/;
