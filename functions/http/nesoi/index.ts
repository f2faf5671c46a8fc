import { nesoiAppEndpoints } from './apps.ts';
import { nesoiHookEndpoints } from './web-hooks.ts';

/** Nesoi's own surface, so that its clients work unchanged: the routes, bodies and codes of its V1 and what its README promises. */
export const nesoiEndpoints = [...nesoiAppEndpoints, ...nesoiHookEndpoints];
