import { app } from '@azure/functions';
import { parseStepMessage } from '../../shared/operations/index.ts';
import { CONNECTIONS, SERVICE_BUS_QUEUES } from '../../shared/platform/topology.ts';
import { isOnBus, parseQueueMessage } from '../../shared/webhooks/index.ts';
import type { Log } from '../log.ts';
import { services } from '../services.ts';
import { observed } from './observed.ts';
import { outlast } from './outlast.ts';
import { takeCommand } from './take-command.ts';

const { deliveries, commands, steps } = SERVICE_BUS_QUEUES;
const isLocal = services().settings.SKERRY_LOCAL;

app.serviceBusQueue('servicebus-deliver', {
  connection: CONNECTIONS.serviceBus,
  queueName: deliveries.name,
  handler: observed(deliveries.name, isLocal, (body, _, log) => deliver(body, log)),
});

/** What belongs to one session is taken one after the other. No record tells of a command before it is taken: so it waits for the database. */
app.serviceBusQueue('servicebus-commands', {
  connection: CONNECTIONS.serviceBus,
  queueName: commands.name,
  isSessionsEnabled: commands.hasSessions,
  handler: observed(commands.name, isLocal, (body, context, log) =>
    outlast(() => takeCommand(body, context, services(), log), services().clock),
  ),
});

app.serviceBusQueue('servicebus-steps', {
  connection: CONNECTIONS.serviceBus,
  queueName: steps.name,
  handler: observed(steps.name, isLocal, takeStep),
});

/** A message that cannot be read goes to the broker's own dead letters, after it was abandoned often enough. */
async function deliver(body: unknown, log: Log): Promise<void> {
  const message = parseQueueMessage(body);
  if (!('task' in message)) {
    const { deliveries, notificationDeliveries } = services();
    return await (isOnBus(message.subscription)
      ? notificationDeliveries.handle(message)
      : deliveries.handle(message, log));
  }
  switch (message.task) {
    case 'wake':
      return await services().ordered.wake(message, log);
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
