import { app, type InvocationContext } from '@azure/functions';
import { CONNECTIONS, COSMOS_CONTAINERS, COSMOS_DATABASE } from '../../shared/platform/topology.ts';
import { logOf } from '../log.ts';
import { services } from '../services.ts';

/** Changes of one batch; a batch that fails is repeated as a whole. */
const MAX_ITEMS = 200;

const { settings } = services();

/** The one reader of the change feed. A batch is repeated until it succeeds: the host would drop it otherwise. */
app.cosmosDB('changefeed-fanout', {
  connection: CONNECTIONS.cosmos,
  databaseName: COSMOS_DATABASE,
  containerName: COSMOS_CONTAINERS.records.id,
  leaseContainerName: COSMOS_CONTAINERS.feedLeases.id,
  leaseContainerPrefix: 'fanout',
  createLeaseContainerIfNotExists: false,
  startFromBeginning: true,
  feedPollDelay: settings.SKERRY_FEED_POLL_MILLISECONDS,
  maxItemsPerInvocation: MAX_ITEMS,
  retry: { strategy: 'fixedDelay', maxRetryCount: -1, delayInterval: { seconds: 1 } },
  handler: fanOut,
});

async function fanOut(documents: unknown[], context: InvocationContext): Promise<void> {
  await services().fanOut.handle(documents, logOf(context, { isLocal: settings.SKERRY_LOCAL }));
}
