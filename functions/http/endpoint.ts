import { defineEndpoint } from '../../shared/platform/http/index.ts';
import type { Services } from '../services.ts';

/** Declares an endpoint of this app; see `defineEndpoint`. */
export const endpoint = defineEndpoint<Services>();
