import type { Endpoint } from '../../shared/platform/http/index.ts';
import type { Services } from '../services.ts';
import { appEndpoints } from './apps.ts';
import { healthEndpoints } from './health.ts';
import { describingEndpoint } from './openapi.ts';

const described: readonly Endpoint<Services>[] = [...appEndpoints, ...healthEndpoints];

/** Every endpoint of the app. */
export const endpoints: readonly Endpoint<Services>[] = [...described, describingEndpoint(described)];
