import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FaultServer, startFaultServer } from '../faults/fault-server.ts';
import type { CheckToken } from '../identity/token-authority.ts';
import { AmqpServer } from './amqp/amqp-server.ts';
import { deadLetterReasons } from './amqp/dead-letter-reasons.ts';
import { Broker } from './broker/broker.ts';
import { type Clock, systemClock } from './broker/clock.ts';
import { openLmdbMessageStore } from './broker/lmdb-message-store.ts';
import { readEntities, type ServiceBusConfig } from './config.ts';
import { Faults } from './faults.ts';

export type { ServiceBusConfig } from './config.ts';

export interface ServiceBusServerOptions {
  /** 0 takes any free one. */
  readonly port: number;
  /** The address to listen on; both loopback names lead to the default. */
  readonly host?: string;
  /** Where messages are kept. Absent: in a temporary folder that `stop` removes. */
  readonly dataFolder?: string;
  readonly config: ServiceBusConfig;
  /** Offers the control endpoint for injected faults on a port of its own; 0 takes any free one. */
  readonly faultsPort?: number;
  /** The system's unless given: by which locks expire, and scheduled messages come. */
  readonly clock?: Clock;
  /** Takes tokens of an identity too; no tokens are taken without it. */
  readonly checkToken?: CheckToken | undefined;
}

export interface ServiceBusServer {
  readonly connectionString: string;
  readonly port: number;
  /** The control endpoint for injected faults; present when `faultsPort` was given. */
  readonly faultsUrl?: string;
  stop(): Promise<void>;
}

/** The official emulator's well-known credentials; they protect nothing. */
const KEY = { name: 'RootManageSharedAccessKey', key: 'SAS_KEY_VALUE' };

const LOOPBACK = '127.0.0.1';

/**
 * Starts a Service Bus namespace with the declared queues, topics and subscriptions.
 *
 * Rejects when the configuration is invalid or asks for what is not supported, and with `code` EADDRINUSE when a port
 * is taken.
 */
export async function startServiceBusServer(options: ServiceBusServerOptions): Promise<ServiceBusServer> {
  const entities = readEntities(options.config);
  const folder = await openFolder(options.dataFolder);
  const store = openLmdbMessageStore(join(folder.path, 'messages.mdb'));
  const { clock = systemClock } = options;
  const broker = new Broker(entities, { clock, store, deadLetterReasons });
  const faults = options.faultsPort === undefined ? undefined : new Faults();
  const server = new AmqpServer(broker, KEY, faults, options.checkToken);
  const host = options.host ?? LOOPBACK;

  let faultServer: FaultServer | undefined;
  let closing: Promise<void> | undefined;
  const stop = () => {
    closing ??= close();
    return closing;
  };

  async function close(): Promise<void> {
    await Promise.all([server.close(), faultServer?.close()]);
    broker.close();
    await store.close();
    await folder.release();
  }

  try {
    const port = await server.listen(options.port, host);
    if (faults !== undefined) faultServer = await startFaultServer(faults, options.faultsPort ?? 0, host);
    return {
      connectionString: connectionStringFor(port),
      port,
      ...(faultServer && { faultsUrl: faultServer.url }),
      stop,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function connectionStringFor(port: number): string {
  return (
    `Endpoint=sb://${LOOPBACK}:${port};SharedAccessKeyName=${KEY.name};` +
    `SharedAccessKey=${KEY.key};UseDevelopmentEmulator=true;`
  );
}

async function openFolder(path: string | undefined): Promise<{ path: string; release(): Promise<void> }> {
  if (path !== undefined) {
    await mkdir(path, { recursive: true });
    return { path, release: async () => {} };
  }
  const temporary = await mkdtemp(join(tmpdir(), 'service-bus-'));
  return { path: temporary, release: () => rm(temporary, { recursive: true, force: true }) };
}
