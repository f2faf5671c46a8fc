import { createRouteHandlers, LimitedAccess } from '../../shared/platform/http/index.ts';
import { limitsOf } from '../../shared/platform/limits.ts';
import { services } from '../services.ts';
import { endpoints } from './endpoints.ts';
import { onShutdown, registerHttpFunctions } from './register.ts';

const app = services();
const { requestsPerSecond } = limitsOf(app.settings);

registerHttpFunctions(
  createRouteHandlers(endpoints, {
    services: app,
    access: app.access,
    limitedAccess:
      requestsPerSecond === undefined
        ? undefined
        : new LimitedAccess(app.access, requestsPerSecond, app.clock),
    settings: app.settings,
    random: app.random,
  }),
);

onShutdown(() => app.watches.close());
