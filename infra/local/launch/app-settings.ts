import { CONNECTIONS } from '../../../shared/platform/topology.ts';
import type { ServerName } from './options.ts';

/** What the app is told on a laptop; the environment of whoever starts it wins over these. */
export const LOCAL_SETTINGS: Readonly<Record<string, string>> = {
  FUNCTIONS_WORKER_RUNTIME: 'node',
  SKERRY_LOCAL: 'true',
  SKERRY_WEBHOOK_ALLOW_PRIVATE: 'true',
  SKERRY_FEED_POLL_MILLISECONDS: '20',
  SKERRY_SWEEP_SCHEDULE: '*/5 * * * * *',
  SKERRY_CLOCK_SKEW_MILLISECONDS: '0',
  SKERRY_STEP_TIMEOUT_SECONDS: '20',
  SKERRY_OPERATION_CHECK_SECONDS: '10',
};

export const CONNECTION_SETTINGS = {
  cosmos: CONNECTIONS.cosmos,
  servicebus: CONNECTIONS.serviceBus,
  blob: CONNECTIONS.blob,
} as const satisfies Record<ServerName, string>;

/**
 * The environment of the functions host. Its connections are those of this embedded cloud, whatever the caller's environment says:
 * a forgotten variable must not turn a local run on an account in Azure.
 *
 * @param secretKey of the data folder.
 */
export function appEnvironment(
  callersEnvironment: NodeJS.ProcessEnv,
  connections: Readonly<Record<ServerName, string>>,
  secretKey: string,
): NodeJS.ProcessEnv {
  return {
    ...LOCAL_SETTINGS,
    SKERRY_SECRET_KEYS: secretKey,
    ...callersEnvironment,
    [CONNECTION_SETTINGS.cosmos]: connections.cosmos,
    [CONNECTION_SETTINGS.servicebus]: connections.servicebus,
    [CONNECTION_SETTINGS.blob]: connections.blob,
  };
}
