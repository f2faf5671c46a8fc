import type { Endpoint } from '../../shared/platform/http/index.ts';
import type { Services } from '../services.ts';
import { appEndpoints } from './apps.ts';
import { gossipEndpoints } from './gossip.ts';
import { healthEndpoints } from './health.ts';
import { historyEndpoints } from './history.ts';
import { keyValueEndpoints } from './kv.ts';
import { nesoiEndpoints } from './nesoi/index.ts';
import { describingEndpoint } from './openapi.ts';
import { serviceEndpoints } from './services.ts';
import { subscriptionEndpoints } from './subscriptions.ts';
import { watchEndpoints } from './watch.ts';

const described: readonly Endpoint<Services>[] = [
  ...appEndpoints,
  ...serviceEndpoints,
  ...keyValueEndpoints,
  ...subscriptionEndpoints,
  ...watchEndpoints,
  ...historyEndpoints,
  ...healthEndpoints,
  ...nesoiEndpoints,
  ...gossipEndpoints,
];

/** Every endpoint of the app. */
export const endpoints: readonly Endpoint<Services>[] = [...described, describingEndpoint(described)];
