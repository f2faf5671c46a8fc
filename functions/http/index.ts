import { createRouteHandlers } from '../../shared/platform/http/index.ts';
import { services } from '../services.ts';
import { endpoints } from './endpoints.ts';
import { onShutdown, registerHttpFunctions } from './register.ts';

const app = services();

registerHttpFunctions(
  createRouteHandlers(endpoints, {
    services: app,
    access: app.access,
    settings: app.settings,
    random: app.random,
  }),
);

onShutdown(() => app.watches.close());
