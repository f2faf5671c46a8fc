import type { Command } from '../command.ts';
import { accessCommands } from './access.ts';
import { appCommands } from './app.ts';
import { auditCommand } from './audit.ts';
import { bootstrapCommand } from './bootstrap.ts';
import { bundleCommands } from './bundle.ts';
import { bundleChannelCommands } from './bundle-channels.ts';
import { bundleFollowCommand } from './bundle-follow.ts';
import { bundleNightjarCommands } from './bundle-nightjar.ts';
import { deadLetterCommands } from './dead-letters.ts';
import { electionCommands } from './election.ts';
import { environmentCommands } from './environments.ts';
import { historyCommand } from './history.ts';
import { kvCommands } from './kv.ts';
import { operationCommands } from './operations.ts';
import { searchCommands } from './search.ts';
import { serviceCommands } from './service.ts';
import { syncCommand } from './sync.ts';
import { templateCommands } from './templates.ts';
import { watchCommand } from './watch.ts';
import { webhookDeliveriesCommands } from './webhook-deliveries.ts';
import { webhooksCommands } from './webhooks.ts';
import { webhooksListenCommand } from './webhooks-listen.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  ...kvCommands,
  watchCommand,
  ...appCommands,
  ...serviceCommands,
  ...bundleCommands,
  ...bundleChannelCommands,
  bundleFollowCommand,
  ...bundleNightjarCommands,
  ...templateCommands,
  ...environmentCommands,
  ...operationCommands,
  bootstrapCommand,
  historyCommand,
  auditCommand,
  ...searchCommands,
  ...electionCommands,
  ...webhooksCommands,
  ...webhookDeliveriesCommands,
  webhooksListenCommand,
  ...deadLetterCommands,
  syncCommand,
  ...accessCommands,
];
