import path from 'node:path';
import { digestOfToken, newTokenText } from '../../../shared/access/tokens/token.ts';
import { appEnvironment } from './app-settings.ts';
import { startChildProgram } from './child-program.ts';
import type { DataFolder } from './data-folder.ts';
import { LaunchError } from './launch-error.ts';
import { type LaunchOptions, PORT_FLAGS, SERVERS } from './options.ts';
import { waitUntilAnswering } from './readiness.ts';
import { secretKeyOf } from './secret-key.ts';
import { claimDataAndPorts, type Servers, startServers } from './servers.ts';
import { type Supervised, supervise } from './supervise.ts';
import type { Teardown } from './teardown.ts';

const root = path.resolve(import.meta.dirname, '../../..');

/** The host drains for 10 s, then gives its appTerminate hooks 5 s. */
const HOST_STOP_MILLISECONDS = 16_000;

export interface LaunchedSkerry extends Servers {
  /** Where the API answers, without a slash at the end. */
  readonly url: string;
  readonly dataFolder: DataFolder;
  /** What the app was started with. */
  readonly environment: NodeJS.ProcessEnv;
  /** May do everything, for as long as this runs; only where one was made. */
  readonly bootstrapToken: string | undefined;
}

/**
 * Starts the servers, starts the functions on them and waits until all answers.
 *
 * @param teardown is told what must be stopped, as soon as it exists; the caller runs it, also when this fails.
 * @throws LaunchError
 */
export async function launchSkerry(options: LaunchOptions, teardown: Teardown): Promise<LaunchedSkerry> {
  const dataFolder = await claimDataAndPorts(options, teardown, [hostPort(options)]);

  const identity = options.managedIdentity
    ? await (await import('./managed-identity.ts')).startManagedIdentity(dataFolder.path, teardown)
    : undefined;
  const [servers] = await Promise.all([
    startServers({ options, dataFolder, teardown, identity }),
    options.build ? buildFunctions() : undefined,
  ]);
  if (teardown.begun) {
    throw new LaunchError('Stopped before the functions were started.');
  }
  // Whoever knows a token of their own goes on with it.
  const bootstrapToken =
    options.auth && !process.env.SKERRY_BOOTSTRAP_TOKEN_SHA256 ? newTokenText() : undefined;
  const environment = {
    ...appEnvironment(process.env, servers.connections, await secretKeyOf(dataFolder.path)),
    ...(await identity?.environmentFor(servers.connections)),
    ...(options.auth && { SKERRY_AUTH: 'on' }),
    ...(bootstrapToken !== undefined && {
      SKERRY_BOOTSTRAP_TOKEN_SHA256: digestOfToken(bootstrapToken).toString('hex'),
    }),
    SKERRY_HOST_STATE: path.join(dataFolder.path, 'host'),
  };
  const host = startHost(options, dataFolder, environment);
  teardown.add(() => host.stop());
  const url = await host.ready;
  const probe = options.servers.size === SERVERS.length ? '/api/v1/health/ready' : '/api/v1/health/live';
  await waitUntilAnswering(new URL(probe, url));
  return {
    ...servers,
    url: new URL(url).origin,
    dataFolder,
    environment,
    bootstrapToken,
  };
}

/** What the functions host is going to listen at, whoever it is. */
export function hostPort({ ports }: Pick<LaunchOptions, 'ports'>) {
  return { port: ports.host, wantedBy: 'functions host', flag: PORT_FLAGS.host.flag };
}

/** @throws LaunchError with the compiler's messages. */
export async function buildFunctions(): Promise<void> {
  const { bundleIfChanged } = await import('../../build/bundle-if-changed.ts');
  try {
    await bundleIfChanged({ log: console.log });
  } catch (error) {
    throw new LaunchError(`The functions cannot be built. ${error instanceof Error ? error.message : error}`);
  }
}

function startHost(
  { ports, workers, strict }: LaunchOptions,
  dataFolder: DataFolder,
  environment: NodeJS.ProcessEnv,
): Supervised {
  return supervise('functions host', (address) => {
    const program = startChildProgram({
      name: 'functions host',
      modulePath: path.join(root, 'infra/local/host/main.ts'),
      commandLine: [
        ...['--app', root, '--port', address?.port ?? String(ports.host)],
        ...(workers === undefined ? [] : ['--workers', String(workers)]),
        ...(strict ? ['--strict'] : []),
      ],
      environment,
      stopMilliseconds: HOST_STOP_MILLISECONDS,
    });
    dataFolder.recordChild(program.pid);
    return program;
  });
}
