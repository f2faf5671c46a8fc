import { systemRandom } from '../../../shared/platform/random.ts';
import type { AppSettings } from './app-settings.ts';
import { hostClock } from './clock.ts';
import { type CosmosTrigger, type FunctionDefinition, functionsOf } from './function-definition.ts';
import type { HostJson } from './host-json.ts';
import type { TriggerEvent } from './invocation.ts';
import type { Listener } from './listener.ts';
import type { Log } from './log.ts';
import { TimerListener } from './timer-listener.ts';
import { TimerStatusFiles, TimerStatusMemory } from './timer-status.ts';

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
 * @throws Error for a malformed schedule or a missing connection.
 */
export async function createListeners(options: CreateListenersOptions): Promise<Listener[]> {
  const enabled = options.definitions.filter((definition) => !definition.disabled);
  return [
    ...createTimers(enabled, options),
    ...(await createCosmosListeners(enabled, options)),
    ...(await createServiceBusListeners(enabled, options)),
  ];
}

function createTimers(enabled: readonly FunctionDefinition[], options: CreateListenersOptions): Listener[] {
  const { log, run, stateFolder } = options;
  const statuses = stateFolder === undefined ? new TimerStatusMemory() : new TimerStatusFiles(stateFolder);
  return functionsOf(enabled, 'timerTrigger').map(
    (definition) =>
      new TimerListener({
        definition,
        clock: hostClock,
        statuses,
        log,
        run: (input) => run(definition, { input }),
      }),
  );
}

async function createCosmosListeners(
  enabled: readonly FunctionDefinition[],
  { settings, log, run, strict }: CreateListenersOptions,
): Promise<Listener[]> {
  const definitions = functionsOf(enabled, 'cosmosDBTrigger');
  if (definitions.length === 0) return [];
  refuseSharedLeases(definitions);
  const { CosmosListener } = await import('./cosmos-listener.ts');
  return definitions.map((definition) => {
    const { connection, leaseConnection = connection } = definition.trigger;
    return new CosmosListener({
      definition,
      connectionString: settings.connection(connection),
      leaseConnectionString: settings.connection(leaseConnection),
      strict,
      clock: hostClock,
      random: systemRandom,
      log,
      run: (input) => run(definition, { input }),
    });
  });
}

/** In Azure such functions take the changes from each other, which is never meant. */
function refuseSharedLeases(definitions: readonly FunctionDefinition<CosmosTrigger>[]): void {
  const taken = new Map<string, string>();
  for (const { name, trigger } of definitions) {
    const {
      connection,
      leaseConnection = connection,
      databaseName,
      leaseDatabaseName = databaseName,
    } = trigger;
    const container = [connection, databaseName, trigger.containerName];
    const leases = [
      leaseConnection,
      leaseDatabaseName,
      trigger.leaseContainerName,
      trigger.leaseContainerPrefix,
    ];
    const key = JSON.stringify([...container, ...leases]);
    const other = taken.get(key);
    if (other !== undefined) {
      throw new Error(
        `Functions '${other}' and '${name}' share their leases; give each a leaseContainerPrefix.`,
      );
    }
    taken.set(key, name);
  }
}

async function createServiceBusListeners(
  enabled: readonly FunctionDefinition[],
  { settings, hostJson, log, run }: CreateListenersOptions,
): Promise<Listener[]> {
  const definitions = functionsOf(enabled, 'serviceBusTrigger');
  if (definitions.length === 0) return [];
  const { ServiceBusListener } = await import('./service-bus-listener.ts');
  return definitions.map(
    (definition) =>
      new ServiceBusListener({
        definition,
        connectionString: settings.connection(definition.trigger.connection),
        defaults: hostJson.extensions.serviceBus,
        random: systemRandom,
        log,
        run: (event) => run(definition, event),
      }),
  );
}
