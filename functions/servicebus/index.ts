import { app } from '@azure/functions';
import { CONNECTIONS, SERVICE_BUS_QUEUES } from '../../shared/platform/topology.ts';
import { parseQueueMessage } from '../../shared/webhooks/index.ts';
import { services } from '../services.ts';

app.serviceBusQueue('servicebus-deliver', {
  connection: CONNECTIONS.serviceBus,
  queueName: SERVICE_BUS_QUEUES.deliveries.name,
  handler: deliver,
});

/** A message that cannot be read goes to the broker's own dead letters, after it was abandoned often enough. */
async function deliver(body: unknown): Promise<void> {
  const message = parseQueueMessage(body);
  if ('task' in message) {
    throw new Error(`Nothing handles the task ${message.task} yet.`);
  }
  await services().deliveries.handle(message);
}
