import { z } from 'zod';

/** Of templates, their resources and groups: no dot, which joins a template's id and a resource's in an environment. */
export const PART_ID_PATTERN = /^[0-9A-Za-z_-]{1,60}$/;

export const partIdSchema = z
  .string()
  .regex(PART_ID_PATTERN, 'must be 1 to 60 letters, digits, hyphens or underscores');

/** A resource or a group of an environment. */
export const RESOURCE_ID_PATTERN = /^[0-9A-Za-z_-]{1,60}\.[0-9A-Za-z_-]{1,60}$/;

export const tagSchema = z.strictObject({
  name: z.string().min(1).max(128),
  value: z.string().max(256),
});

/** How a group stands where a resource may. */
export const GROUP_PREFIX = 'group:';
