import path from 'node:path';
import { appEnvironment } from './app-settings.ts';
import { startChildProgram } from './child-program.ts';
import {
  blobConnectionString,
  cosmosConnectionString,
  serviceBusConnectionString,
} from './connection-strings.ts';
import { claimDataFolder, type DataFolder } from './data-folder.ts';
import { LaunchError } from './launch-error.ts';
import { type LaunchOptions, PORT_FLAGS, type ServerName } from './options.ts';
import { requireFreePorts, UNUSED_PORT } from './ports.ts';
import { waitUntilAnswering } from './readiness.ts';
import { serviceBusEntities } from './service-bus-entities.ts';
import { type Supervised, supervise } from './supervise.ts';
import type { Teardown } from './teardown.ts';

const root = path.resolve(import.meta.dirname, '../../..');

/** The host drains for 10 s, then gives its appTerminate hooks 5 s. */
const HOST_STOP_MILLISECONDS = 16_000;
const AZURITE_STOP_MILLISECONDS = 5_000;

export interface Cloud {
  /** Where the API answers, without a slash at the end. */
  readonly url: string;
  readonly connections: Readonly<Record<ServerName, string>>;
  readonly dataFolder: DataFolder;
  /** What the app was started with. */
  readonly environment: NodeJS.ProcessEnv;
}

interface Launch {
  readonly options: LaunchOptions;
  readonly dataFolder: DataFolder;
  readonly teardown: Teardown;
}

/**
 * Starts the servers, creates what `topology.ts` declares in them, starts the functions on them and waits until all answers.
 * The Cosmos DB and Service Bus emulators live in this process, Azurite and the functions host in children.
 *
 * @param teardown is told what must be stopped, as soon as it exists; the caller runs it, also when this fails.
 * @throws LaunchError
 */
export async function startCloud(options: LaunchOptions, teardown: Teardown): Promise<Cloud> {
  const dataFolder = await claimDataFolder(options.dataFolder);
  teardown.add(() => dataFolder.release());
  await requireFreePorts([
    { port: options.ports.host, wantedBy: 'functions host', flag: PORT_FLAGS.host.flag },
    ...portsOfServers(options),
  ]);

  const launch = { options, dataFolder, teardown };
  const [blob, cosmos, servicebus] = await Promise.all([
    startBlob(launch),
    startCosmos(launch),
    startServiceBus(launch),
    options.build ? buildFunctions() : undefined,
  ]);
  if (teardown.begun) {
    throw new LaunchError('Stopped before the functions were started.');
  }
  const connections = { cosmos, servicebus, blob };

  const environment = {
    ...appEnvironment(process.env, connections),
    SKERRY_HOST_STATE: path.join(dataFolder.path, 'host'),
  };
  const url = await startHost(launch, environment).ready;
  const probe = options.without.size === 0 ? '/api/v1/health/ready' : '/api/v1/health/live';
  await waitUntilAnswering(new URL(probe, url));
  return { url: new URL(url).origin, connections, dataFolder, environment };
}

function portsOfServers({ ports, without }: LaunchOptions) {
  const servers = [
    { server: 'cosmos', wantedBy: 'Cosmos DB emulator' },
    { server: 'servicebus', wantedBy: 'Service Bus emulator' },
    { server: 'blob', wantedBy: 'Blob service (Azurite)' },
  ] as const;
  return servers
    .filter(({ server }) => !without.has(server))
    .map(({ server, wantedBy }) => ({ port: ports[server], wantedBy, flag: PORT_FLAGS[server].flag }));
}

async function buildFunctions(): Promise<void> {
  const { bundleIfChanged } = await import('../../build/bundle-if-changed.ts');
  try {
    await bundleIfChanged({ log: console.log });
  } catch (error) {
    throw new LaunchError(`The functions cannot be built. ${error instanceof Error ? error.message : error}`);
  }
}

async function startCosmos({ options, dataFolder, teardown }: Launch): Promise<string> {
  const port = options.ports.cosmos;
  if (options.without.has('cosmos')) {
    return cosmosConnectionString(closedPort(port));
  }
  const { startCosmosServer } = await import('../cosmos/server.ts');
  const server = await startCosmosServer({
    port,
    dataFolder: path.join(dataFolder.path, 'cosmos'),
    faults: options.faults,
    staleMs: options.staleMs,
  });
  teardown.add(() => server.stop());
  const { provisionCosmos } = await import('./provision.ts');
  await provisionCosmos(server.connectionString);
  return server.connectionString;
}

async function startServiceBus({ options, dataFolder, teardown }: Launch): Promise<string> {
  const port = options.ports.servicebus;
  if (options.without.has('servicebus')) {
    return serviceBusConnectionString(closedPort(port));
  }
  const { startServiceBusServer } = await import('../servicebus/server.ts');
  const server = await startServiceBusServer({
    port,
    dataFolder: path.join(dataFolder.path, 'servicebus'),
    config: serviceBusEntities(),
  });
  teardown.add(() => server.stop());
  return server.connectionString;
}

async function startBlob({ options, dataFolder, teardown }: Launch): Promise<string> {
  const port = options.ports.blob;
  if (options.without.has('blob')) {
    return blobConnectionString(closedPort(port));
  }
  const azurite = supervise('Blob service (Azurite)', (address) => {
    const program = startChildProgram({
      name: 'Blob service (Azurite)',
      modulePath: path.join(root, 'infra/local/azurite/main.ts'),
      commandLine: [
        '--port',
        address?.port ?? String(port),
        '--location',
        path.join(dataFolder.path, 'blob'),
      ],
      environment: process.env,
      stopMilliseconds: AZURITE_STOP_MILLISECONDS,
    });
    dataFolder.recordChild(program.pid);
    return program;
  });
  teardown.add(() => azurite.stop());
  const [{ provisionBlob }, url] = await Promise.all([import('./provision.ts'), azurite.ready]);
  const connectionString = blobConnectionString(Number(new URL(url).port));
  await provisionBlob(connectionString);
  return connectionString;
}

function startHost({ options, dataFolder, teardown }: Launch, environment: NodeJS.ProcessEnv): Supervised {
  const host = supervise('functions host', (address) => {
    const program = startChildProgram({
      name: 'functions host',
      modulePath: path.join(root, 'infra/local/host/main.ts'),
      commandLine: ['--app', root, '--port', address?.port ?? String(options.ports.host)],
      environment,
      stopMilliseconds: HOST_STOP_MILLISECONDS,
    });
    dataFolder.recordChild(program.pid);
    return program;
  });
  teardown.add(() => host.stop());
  return host;
}

/** A server that is left out keeps its address, at which nothing answers. */
function closedPort(port: number): number {
  return port === 0 ? UNUSED_PORT : port;
}
