import { nesoiAppEndpoints } from './apps.ts';
import { nesoiServiceEndpoints } from './services.ts';
import { nesoiHookEndpoints } from './web-hooks.ts';

/**
 * Nesoi's own surface, so that its clients work unchanged: the routes, bodies and codes of its V1, and what its README
 * promises beyond that. It shows the records of the canonical API in the namespace `default`. Unlike V1, a body must name
 * what the URL names, lists go by that name, and a host may carry a `ttl` after which it expires.
 */
export const nesoiEndpoints = [...nesoiAppEndpoints, ...nesoiServiceEndpoints, ...nesoiHookEndpoints];
