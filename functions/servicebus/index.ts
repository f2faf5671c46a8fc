import { app, type InvocationContext } from '@azure/functions';
import { parseStepMessage } from '../../shared/operations/index.ts';
import { CONNECTIONS, SERVICE_BUS_QUEUES } from '../../shared/platform/topology.ts';
import { isOnBus, parseQueueMessage } from '../../shared/webhooks/index.ts';
import { services } from '../services.ts';
import { outlast } from './outlast.ts';
import { takeCommand } from './take-command.ts';

app.serviceBusQueue('servicebus-deliver', {
  connection: CONNECTIONS.serviceBus,
  queueName: SERVICE_BUS_QUEUES.deliveries.name,
  handler: deliver,
});

/** What belongs to one session is taken one after the other. No record tells of a command before it is taken: so it waits for the database. */
app.serviceBusQueue('servicebus-commands', {
  connection: CONNECTIONS.serviceBus,
  queueName: SERVICE_BUS_QUEUES.commands.name,
  isSessionsEnabled: SERVICE_BUS_QUEUES.commands.hasSessions,
  handler: (body, context) => outlast(() => takeCommand(body, context, services()), services().clock),
});

app.serviceBusQueue('servicebus-steps', {
  connection: CONNECTIONS.serviceBus,
  queueName: SERVICE_BUS_QUEUES.steps.name,
  handler: takeStep,
});

/** A message that cannot be read goes to the broker's own dead letters, after it was abandoned often enough. */
async function deliver(body: unknown, context: InvocationContext): Promise<void> {
  const message = parseQueueMessage(body);
  if (!('task' in message)) {
    const { deliveries, notificationDeliveries } = services();
    return await (isOnBus(message.subscription)
      ? notificationDeliveries.handle(message)
      : deliveries.handle(message, context));
  }
  switch (message.task) {
    case 'wake':
      return await services().ordered.wake(message, context);
    case 'recover':
    case 'replay':
      return await services().recovery.handle(message);
    case 'consent':
      return await services().consents.handle(message);
  }
}

async function takeStep(body: unknown): Promise<void> {
  const message = parseStepMessage(body);
  const { advance, attempts, clock } = services();
  await outlast(
    () => (message.task === 'advance' ? advance.operation(message) : attempts.handle(message)),
    clock,
  );
}
