import { createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { composeServices } from '../../../functions/services.ts';
import {
  blobConnectionString,
  cosmosConnectionString,
  serviceBusConnectionString,
} from '../../../infra/local/launch/connection-strings.ts';
import { UNUSED_PORT } from '../../../infra/local/launch/ports.ts';
import { serviceBusEntities } from '../../../infra/local/launch/service-bus-entities.ts';
import { type ServiceBusServer, startServiceBusServer } from '../../../infra/local/servicebus/server.ts';
import { readSettings } from '../../../shared/platform/settings.ts';
import { CONNECTIONS } from '../../../shared/platform/topology.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';

interface SilentServer {
  readonly port: number;
  stop(): void;
}

let cosmos: CosmosFixture;
let serviceBus: ServiceBusServer;
let silent: SilentServer;

beforeAll(async () => {
  [cosmos, serviceBus, silent] = await Promise.all([
    startCosmos(),
    startServiceBusServer({ port: 0, config: serviceBusEntities() }),
    startSilentServer(),
  ]);
});

afterAll(async () => {
  silent.stop();
  await Promise.all([cosmos.stop(), serviceBus.stop()]);
});

/** Accepts connections and never says a word. */
async function startSilentServer(): Promise<SilentServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new Error('The server has no port.');
  }
  return {
    port: address.port,
    stop() {
      server.close();
      for (const socket of sockets) {
        socket.destroy();
      }
    },
  };
}

async function check(connections: { cosmos: string; serviceBus: string; blob: string }) {
  const services = composeServices(
    readSettings({
      [CONNECTIONS.cosmos]: connections.cosmos,
      [CONNECTIONS.serviceBus]: connections.serviceBus,
      [CONNECTIONS.blob]: connections.blob,
    }),
  );
  const startedAt = performance.now();
  const report = await services.readiness.check();
  const milliseconds = performance.now() - startedAt;
  const again = await services.readiness.check();
  services.database.client.dispose();
  await (await services.serviceBus).close();
  return { report, again, milliseconds };
}

describe('readiness', () => {
  it('asks the services themselves, and names the one that is away', async () => {
    const { report, again } = await check({
      cosmos: cosmos.server.connectionString,
      serviceBus: serviceBus.connectionString,
      blob: blobConnectionString(UNUSED_PORT),
    });
    expect(report).toEqual({
      status: 'unready',
      dependencies: {
        cosmos: { status: 'ready', durationMs: expect.any(Number) },
        serviceBus: { status: 'ready', durationMs: expect.any(Number) },
        blob: { status: 'unready', detail: expect.any(String), durationMs: expect.any(Number) },
      },
    });
    expect(again.dependencies.serviceBus.status).toBe('ready');
  });

  it('ends within two seconds when nothing answers, and tells no addresses or keys', async () => {
    const { report, milliseconds } = await check({
      cosmos: cosmosConnectionString(silent.port),
      serviceBus: serviceBusConnectionString(silent.port),
      blob: blobConnectionString(silent.port),
    });
    expect(Object.values(report.dependencies).map(({ status }) => status)).toEqual(
      Array.from({ length: 3 }, () => 'unready'),
    );
    expect(milliseconds).toBeLessThan(3_000);
    expect(JSON.stringify(report)).not.toMatch(/127\.0\.0\.1|Key|sb:/);
  });

  it('names every dependency that refuses', async () => {
    const { report } = await check({
      cosmos: cosmosConnectionString(UNUSED_PORT),
      serviceBus: serviceBusConnectionString(UNUSED_PORT),
      blob: blobConnectionString(UNUSED_PORT),
    });
    expect(report.status).toBe('unready');
    for (const { detail } of Object.values(report.dependencies)) {
      expect(detail).toMatch(/^(failed with \w+|no answer within 2000 ms)$/);
    }
  });
});
