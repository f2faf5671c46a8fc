import {
  EnvironmentPlanner,
  EnvironmentStatus,
  EnvironmentSweeper,
  Environments,
  environmentScope,
  PlannedDestructions,
  ResourceGroups,
  Resources,
  StatusPolls,
  Templates,
} from '../shared/environments/index.ts';
import { isExecutor } from '../shared/executors/index.ts';
import type { Commands } from '../shared/operations/index.ts';
import type { Clock } from '../shared/platform/clock.ts';
import type { Random } from '../shared/platform/random.ts';
import type { Settings } from '../shared/platform/settings.ts';
import type { Alarms, Records } from '../shared/records/index.ts';
import type { Exchange } from '../shared/webhooks/index.ts';
import type { Makers } from './lazily.ts';

/** What handlers and triggers work with, of environments. */
export interface EnvironmentServices {
  readonly templates: Templates;
  readonly environmentPlanner: EnvironmentPlanner;
  readonly environments: Environments;
  readonly resources: Resources;
  readonly resourceGroups: ResourceGroups;
}

/** With what only other services work with. */
export interface EnvironmentParts extends EnvironmentServices {
  readonly environmentStatus: EnvironmentStatus;
  readonly plannedDestructions: PlannedDestructions;
  readonly environmentSweeper: EnvironmentSweeper;
  readonly attendEnvironment: (ns: string, id: string) => Promise<void>;
}

/** What they are made of. */
interface Foundation {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly records: Records;
  readonly alarms: Alarms;
  readonly exchange: Exchange;
  readonly commands: Commands;
}

/** How the services of environments are made. */
export function environmentServices(): Makers<EnvironmentParts, EnvironmentParts & Foundation> {
  return {
    templates: ({ records }) => new Templates({ records, isExecutor }),
    environmentPlanner: ({ records, templates }) => new EnvironmentPlanner({ records, templates }),
    environments: ({ records, templates }) => new Environments({ records, templates }),
    resources: ({ records, clock, alarms }) => new Resources({ records, clock, alarms }),
    resourceGroups: ({ records }) => new ResourceGroups(records),
    environmentStatus: ({ settings, records, exchange, clock, random }) =>
      new EnvironmentStatus({
        records,
        polls: new StatusPolls({ exchange, clock, random }),
        clock,
        terms: {
          interval: 1_000 * settings.SKERRY_STATUS_SECONDS,
          validation: 1_000 * settings.SKERRY_VALIDATION_SECONDS,
        },
      }),
    plannedDestructions: (app) =>
      new PlannedDestructions({
        records: app.records,
        send: (command) => app.commands.send(command),
        clock: app.clock,
        warning: 60 * 60 * 1_000 * app.settings.SKERRY_DESTRUCTION_WARNING_HOURS,
      }),
    environmentSweeper: ({ alarms, environmentStatus, plannedDestructions, clock }) =>
      new EnvironmentSweeper({ alarms, status: environmentStatus, destructions: plannedDestructions, clock }),
    attendEnvironment: (app) => (ns, id) => app.environmentSweeper.look(environmentScope(ns, id)),
  };
}
