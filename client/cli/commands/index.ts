import type { Command } from '../command.ts';
import { appCommands } from './app.ts';
import { electionCommands } from './election.ts';
import { historyCommand } from './history.ts';
import { kvCommands } from './kv.ts';
import { serviceCommands } from './service.ts';
import { syncCommand } from './sync.ts';
import { watchCommand } from './watch.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  ...kvCommands,
  watchCommand,
  ...appCommands,
  ...serviceCommands,
  historyCommand,
  ...electionCommands,
  syncCommand,
];
