import type { Endpoint } from '../../shared/platform/http/index.ts';
import type { Services } from '../services.ts';
import { accessEndpoints } from './access/index.ts';
import { appEndpoints } from './apps.ts';
import { auditEndpoints } from './audit.ts';
import { bundleEndpoints } from './bundles/index.ts';
import { controllerEndpoints } from './controller/index.ts';
import { deadLetterEndpoints } from './dead-letters.ts';
import { deliveryEndpoints } from './deliveries.ts';
import { electionEndpoints } from './elections.ts';
import { environmentEndpoints } from './environments/index.ts';
import { gossipEndpoints } from './gossip.ts';
import { graphEndpoints } from './graph.ts';
import { healthEndpoints } from './health.ts';
import { historyEndpoints } from './history.ts';
import { keyValueEndpoints } from './kv.ts';
import { kvLeaseEndpoints } from './kv-leases.ts';
import { nesoiEndpoints } from './nesoi/index.ts';
import { describingEndpoints } from './openapi.ts';
import { probeEndpoints } from './probes.ts';
import { searchEndpoints } from './search.ts';
import { serviceEndpoints } from './services.ts';
import { statusEndpoints } from './status.ts';
import { subscriptionEndpoints } from './subscriptions.ts';
import { watchEndpoints } from './watch.ts';
import { webhookConsentEndpoints } from './webhook-consents.ts';
import { webhookOperationEndpoints } from './webhook-operations.ts';

const described: readonly Endpoint<Services>[] = [
  ...appEndpoints,
  ...serviceEndpoints,
  ...keyValueEndpoints,
  ...bundleEndpoints,
  ...environmentEndpoints,
  ...subscriptionEndpoints,
  ...webhookOperationEndpoints,
  ...webhookConsentEndpoints,
  ...deliveryEndpoints,
  ...deadLetterEndpoints,
  ...watchEndpoints,
  ...historyEndpoints,
  ...auditEndpoints,
  ...searchEndpoints,
  ...graphEndpoints,
  ...kvLeaseEndpoints,
  ...electionEndpoints,
  ...statusEndpoints,
  ...healthEndpoints,
  ...probeEndpoints,
  ...nesoiEndpoints,
  ...gossipEndpoints,
  ...controllerEndpoints,
  ...accessEndpoints,
];

/** Every endpoint of the app. */
export const endpoints: readonly Endpoint<Services>[] = [...described, ...describingEndpoints(described)];
