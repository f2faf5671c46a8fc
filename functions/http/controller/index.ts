import type { Endpoint } from '../../../shared/platform/http/index.ts';
import type { Services } from '../../services.ts';
import { controllerEnvironmentEndpoints } from './environments.ts';
import { selfEndpoints } from './self.ts';

/** The surface of the environment controller (docs/compatibility.md). */
export const controllerEndpoints: readonly Endpoint<Services>[] = [
  ...selfEndpoints,
  ...controllerEnvironmentEndpoints,
];
