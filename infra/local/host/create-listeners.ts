import { join } from 'node:path';
import { CONNECTION_ENDPOINTS } from '../../../shared/platform/topology.ts';
import type { AppSettings } from './app-settings.ts';
import { hostClock } from './clock.ts';
import { type CosmosTrigger, type FunctionDefinition, isFiredBy, ofEach } from './function-definition.ts';
import type { HostJson } from './host-json.ts';
import type { TriggerEvent } from './invocation.ts';
import type { Listener } from './listener.ts';
import type { Log } from './log.ts';
import { TimerListener } from './timer-listener.ts';
import { TimerStatuses } from './timer-status.ts';

export interface CreateListenersOptions {
  readonly definitions: readonly FunctionDefinition[];
  readonly settings: AppSettings;
  readonly hostJson: HostJson;
  readonly log: Log;
  /** Runs a function with its retry policy; failures are logged there. */
  readonly run: (definition: FunctionDefinition, event: TriggerEvent) => Promise<void>;
  readonly strict: boolean;
  /** Where timers remember when they ran. */
  readonly stateFolder: string | undefined;
}

/**
 * Makes the listener of each function that is neither an HTTP function nor disabled. Service SDKs are loaded only
 * if a function needs them.
 *
 * @throws Error for a malformed schedule, a missing connection or shared leases.
 */
export async function createListeners(options: CreateListenersOptions): Promise<Listener[]> {
  const { settings, hostJson, log, run, strict, stateFolder } = options;
  const statuses = new TimerStatuses(stateFolder && join(stateFolder, 'timers'));
  const enabled = options.definitions.filter((definition) => !definition.disabled);
  const leaseOwners = new Map<string, string>();
  const listeners = await ofEach(enabled, async (definition): Promise<Listener[]> => {
    const tools = { log, run: (event: TriggerEvent) => run(definition, event) };
    if (isFiredBy(definition, 'timerTrigger')) {
      return [new TimerListener({ definition, clock: hostClock, statuses, ...tools })];
    }
    if (isFiredBy(definition, 'cosmosDBTrigger')) {
      refuseSharedLeases(definition, leaseOwners);
      const { connection, leaseConnection = connection } = definition.trigger;
      const { CosmosListener } = await import('./cosmos-listener.ts');
      const connections = {
        connection: settings.connection(connection, CONNECTION_ENDPOINTS.cosmos),
        leaseConnection: settings.connection(leaseConnection, CONNECTION_ENDPOINTS.cosmos),
      };
      return [new CosmosListener({ definition, ...connections, strict, ...tools })];
    }
    if (isFiredBy(definition, 'serviceBusTrigger')) {
      const { ServiceBusListener } = await import('./service-bus-listener.ts');
      const connection = settings.connection(definition.trigger.connection, CONNECTION_ENDPOINTS.serviceBus);
      const defaults = hostJson.extensions.serviceBus;
      return [new ServiceBusListener({ definition, connection, defaults, ...tools })];
    }
    return [];
  });
  return listeners.flat();
}

/** In Azure functions with the same leases take the changes from each other, which is never meant. */
function refuseSharedLeases(
  { name, trigger }: FunctionDefinition<CosmosTrigger>,
  owners: Map<string, string>,
): void {
  const {
    connection,
    databaseName,
    leaseConnection = connection,
    leaseDatabaseName = databaseName,
  } = trigger;
  const container = [connection, databaseName, trigger.containerName];
  const leases = [
    leaseConnection,
    leaseDatabaseName,
    trigger.leaseContainerName,
    trigger.leaseContainerPrefix,
  ];
  const key = JSON.stringify([container, leases]);
  const owner = owners.get(key);
  if (owner !== undefined)
    throw new Error(`it shares its leases with '${owner}'; give each a leaseContainerPrefix`);
  owners.set(key, name);
}
