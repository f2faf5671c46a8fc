import { createRouteHandlers, LimitedAccess, observed } from '../../shared/platform/http/index.ts';
import { limitsOf } from '../../shared/platform/limits.ts';
import { startTelemetry } from '../../shared/platform/telemetry/index.ts';
import { services } from '../services.ts';
import { endpoints } from './endpoints.ts';
import { onShutdown, registerHttpFunctions } from './register.ts';

const app = services();
const { requestsPerSecond } = limitsOf(app.settings);
const telemetry = startTelemetry(app.settings);

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
    observer: app.accessLog,
  }).map((handler) => observed(handler, app.settings.SKERRY_LOCAL)),
  app.settings.SKERRY_LOCAL,
);

onShutdown(() => app.watches.close());
onShutdown(() => app.accessLog.flush());
onShutdown(() => telemetry?.close());
