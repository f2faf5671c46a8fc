import { z } from 'zod';
import type { Json } from '../../shared/records/index.ts';

/**
 * Any JSON value, for values that only their owners understand. A body is JSON already, so all that is left
 * to check is that the value is there; `z.json()` would walk through all of it, and its recursion has no
 * place in the API description.
 */
export const jsonValueSchema = z.custom<Json>((value) => value !== undefined).describe('Any JSON value.');
