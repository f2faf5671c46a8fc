import {
  EnvironmentPlanner,
  Environments,
  ResourceGroups,
  Resources,
  Templates,
} from '../shared/environments/index.ts';
import { isExecutor } from '../shared/executors/index.ts';
import type { Clock } from '../shared/platform/clock.ts';
import type { Records } from '../shared/records/index.ts';
import type { Makers } from './lazily.ts';

/** What handlers and triggers work with, of environments. */
export interface EnvironmentServices {
  readonly templates: Templates;
  readonly environmentPlanner: EnvironmentPlanner;
  readonly environments: Environments;
  readonly resources: Resources;
  readonly resourceGroups: ResourceGroups;
}

/** What they are made of. */
interface Foundation {
  readonly clock: Clock;
  readonly records: Records;
}

/** How the services of environments are made. */
export function environmentServices(): Makers<EnvironmentServices, EnvironmentServices & Foundation> {
  return {
    templates: ({ records }) => new Templates({ records, isExecutor }),
    environmentPlanner: ({ records, templates }) => new EnvironmentPlanner({ records, templates }),
    environments: ({ records }) => new Environments(records),
    resources: ({ records, clock }) => new Resources({ records, clock }),
    resourceGroups: ({ records }) => new ResourceGroups(records),
  };
}
