import type { Endpoint } from '../../../shared/platform/http/index.ts';
import type { Services } from '../../services.ts';
import { commandEndpoints } from './commands.ts';
import { environmentWorkEndpoints } from './environment-work.ts';
import { environmentReadEndpoints } from './environments.ts';
import { operationEndpoints } from './operations.ts';
import { resourceGroupEndpoints } from './resource-groups.ts';
import { resourceEndpoints } from './resources.ts';
import { templateEndpoints } from './templates.ts';

/** Templates, environments, what they consist of, and the operations that change them. */
export const environmentEndpoints: readonly Endpoint<Services>[] = [
  ...templateEndpoints,
  ...environmentReadEndpoints,
  ...environmentWorkEndpoints,
  ...resourceEndpoints,
  ...resourceGroupEndpoints,
  ...operationEndpoints,
  ...commandEndpoints,
];
