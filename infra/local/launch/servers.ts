import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ServiceBusConfig } from '../servicebus/config.ts';
import { startChildProgram } from './child-program.ts';
import {
  blobConnectionString,
  cosmosConnectionString,
  serviceBusConnectionString,
} from './connection-strings.ts';
import { claimDataFolder, type DataFolder } from './data-folder.ts';
import { LaunchError } from './launch-error.ts';
import type { ManagedIdentity } from './managed-identity.ts';
import { PORT_FLAGS, type ServerName, type ServerOptions } from './options.ts';
import { type PortUse, requireFreePorts, UNUSED_PORT } from './ports.ts';
import { serviceBusEntities } from './service-bus-entities.ts';
import { supervise } from './supervise.ts';
import type { Teardown } from './teardown.ts';

const AZURITE = path.resolve(import.meta.dirname, '../azurite/main.ts');
const AZURITE_STOP_MILLISECONDS = 5_000;

export interface Servers {
  readonly connections: Readonly<Record<ServerName, string>>;
  /** Where faults are injected, if at all. */
  readonly faultUrls: Readonly<Record<'cosmos' | 'servicebus', string | undefined>>;
}

interface Launch {
  readonly options: ServerOptions;
  readonly dataFolder: DataFolder;
  readonly teardown: Teardown;
  /** Whose tokens the servers take beside their keys. */
  readonly identity?: ManagedIdentity | undefined;
}

interface Server {
  readonly connectionString: string;
  readonly faultsUrl?: string | undefined;
}

/**
 * Takes the data folder into use until the teardown, and makes sure of the ports, before anything is started.
 *
 * @param others ports that are wanted besides those of the servers.
 * @throws LaunchError
 */
export async function claimDataAndPorts(
  options: ServerOptions,
  teardown: Teardown,
  others: readonly PortUse[] = [],
): Promise<DataFolder> {
  const dataFolder = await claimDataFolder(options.dataFolder);
  teardown.add(() => dataFolder.release());
  await requireFreePorts([...others, ...portsOf(options)]);
  return dataFolder;
}

/**
 * Starts the servers and creates what `topology.ts` declares in them. The Cosmos DB and Service Bus emulators live in this
 * process, Azurite in a child.
 *
 * @param teardown is told what must be stopped, as soon as it exists; the caller runs it, also when this fails.
 * @throws LaunchError
 */
export async function startServers(launch: Launch): Promise<Servers> {
  const { servers, ports } = launch.options;
  const start = (name: ServerName) => (servers.has(name) ? STARTS[name](launch) : leftOut(name, ports[name]));
  const [cosmos, servicebus, blob] = await Promise.all([start('cosmos'), start('servicebus'), start('blob')]);
  return {
    connections: {
      cosmos: cosmos.connectionString,
      servicebus: servicebus.connectionString,
      blob: blob.connectionString,
    },
    faultUrls: { cosmos: cosmos.faultsUrl, servicebus: servicebus.faultsUrl },
  };
}

function portsOf({ ports, servers }: ServerOptions): PortUse[] {
  const wantedBy = {
    cosmos: 'Cosmos DB emulator',
    servicebus: 'Service Bus emulator',
    blob: 'Blob service (Azurite)',
  };
  return [...servers].map((name) => ({
    port: ports[name],
    wantedBy: wantedBy[name],
    flag: PORT_FLAGS[name].flag,
  }));
}

const STARTS = { cosmos: startCosmos, servicebus: startServiceBus, blob: startBlob };
const CONNECTION_STRINGS = {
  cosmos: cosmosConnectionString,
  servicebus: serviceBusConnectionString,
  blob: blobConnectionString,
};

/** A server that is left out keeps its address, at which nothing answers. */
function leftOut(name: ServerName, port: number): Server {
  return { connectionString: CONNECTION_STRINGS[name](port === 0 ? UNUSED_PORT : port) };
}

async function startCosmos({ options, dataFolder, teardown, identity }: Launch): Promise<Server> {
  const [{ startCosmosServer }, { ForeignDataError }] = await Promise.all([
    import('../cosmos/server.ts'),
    import('../cosmos/store.ts'),
  ]);
  const { faults, staleMs, partitions } = options;
  const server = await startCosmosServer({
    port: options.ports.cosmos,
    dataFolder: path.join(dataFolder.path, 'cosmos'),
    faults,
    staleMs,
    partitions,
    checkToken: identity?.checkToken.cosmos,
  }).catch((error: unknown) => {
    throw error instanceof ForeignDataError ? new LaunchError(error.message) : error;
  });
  teardown.add(() => server.stop());
  const { provisionCosmos } = await import('./provision.ts');
  await provisionCosmos(server.connectionString);
  if (!options.controlPlane) server.denyControlPlane();
  return server;
}

async function startServiceBus({ options, dataFolder, teardown, identity }: Launch): Promise<Server> {
  const [{ startServiceBusServer }, config] = await Promise.all([
    import('../servicebus/server.ts'),
    options.serviceBusConfig === undefined
      ? serviceBusEntities(options.busSubscriptions)
      : readConfig(options.serviceBusConfig),
  ]);
  const server = await startServiceBusServer({
    port: options.ports.servicebus,
    dataFolder: path.join(dataFolder.path, 'servicebus'),
    config,
    checkToken: identity?.checkToken.servicebus,
    ...(options.faults && { faultsPort: 0 }),
  }).catch((error: unknown) => {
    // What is wrong with the queues and topics is the caller's to mend; anything else is a fault of ours.
    const isTheirs = options.serviceBusConfig !== undefined || options.busSubscriptions.length > 0;
    throw isTheirs ? new LaunchError(messageOf(error)) : error;
  });
  teardown.add(() => server.stop());
  return server;
}

async function readConfig(file: string): Promise<ServiceBusConfig> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new LaunchError(`The file ${file} of --servicebus-config cannot be read: ${messageOf(error)}`);
  }
}

async function startBlob({ options, dataFolder, teardown, identity }: Launch): Promise<Server> {
  const azurite = supervise('Blob service (Azurite)', (address) => {
    const program = startChildProgram({
      name: 'Blob service (Azurite)',
      modulePath: AZURITE,
      commandLine: [
        '--port',
        address?.port ?? String(options.ports.blob),
        '--location',
        path.join(dataFolder.path, 'blob'),
        ...(options.writeOnce ? ['--write-once'] : []),
        ...(identity === undefined
          ? []
          : ['--cert', identity.files.certificate, '--key', identity.files.key]),
      ],
      environment: process.env,
      stopMilliseconds: AZURITE_STOP_MILLISECONDS,
    });
    dataFolder.recordChild(program.pid);
    return program;
  });
  teardown.add(() => azurite.stop());
  const [{ provisionBlob }, url] = await Promise.all([import('./provision.ts'), azurite.ready]);
  const connectionString = blobConnectionString(
    Number(new URL(url).port),
    identity === undefined ? 'http' : 'https',
  );
  await provisionBlob(connectionString);
  return { connectionString };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
