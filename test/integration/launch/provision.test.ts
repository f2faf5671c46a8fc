import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CosmosClient, type Database } from '@azure/cosmos';
import { ServiceBusClient } from '@azure/service-bus';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startCosmosServer } from '../../../infra/local/cosmos/server.ts';
import { provisionCosmos } from '../../../infra/local/launch/provision.ts';
import { serviceBusEntities } from '../../../infra/local/launch/service-bus-entities.ts';
import { startServiceBusServer } from '../../../infra/local/servicebus/server.ts';
import {
  COSMOS_CONTAINERS,
  COSMOS_DATABASE,
  SERVICE_BUS_QUEUES,
  SERVICE_BUS_TOPICS,
} from '../../../shared/platform/topology.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skerry-provision-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('a data folder of an older declaration is brought in line with that of today, what it holds included', async () => {
  const { id, partitionKey, indexedPaths, defaultTimeToLive } = COSMOS_CONTAINERS.deliveries;
  await withDatabase(async (client) => {
    const { database } = await client.databases.create({ id: COSMOS_DATABASE });
    const { container } = await database.containers.create({
      id,
      partitionKey: { paths: [partitionKey] },
      indexingPolicy: { includedPaths: [{ path: '/state/?' }], excludedPaths: [{ path: '/*' }] },
    });
    for (const ns of ['one', 'two']) {
      await container.items.create({ id: ns, subscription: 's', state: 'dead', ns, createdAt: ns });
    }
  });
  for (const start of ['first', 'second']) {
    await withDatabase(async (client, connectionString) => {
      await provisionCosmos(connectionString);
      const container = client.database(COSMOS_DATABASE).container(id);
      const { resource } = await container.read();
      expect(resource?.indexingPolicy?.includedPaths, start).toEqual(indexedPaths.map((path) => ({ path })));
      expect(resource?.defaultTtl, start).toBe(defaultTimeToLive);
      expect(await idsByNamespace(client.database(COSMOS_DATABASE)), start).toEqual(['two', 'one']);
    });
  }
});

test('a container that is in line is left as it is', async () => {
  await withDatabase(async (client, connectionString) => {
    const etags = async () => {
      await provisionCosmos(connectionString);
      const { resources } = await client.database(COSMOS_DATABASE).containers.readAll().fetchAll();
      return resources.map(({ _etag }) => _etag);
    };
    const first = await etags();
    expect(first).toHaveLength(Object.keys(COSMOS_CONTAINERS).length);
    expect(await etags()).toEqual(first);
  });
});

test('a data folder from before there was a topic has it, and its messages wait in the queues still', async () => {
  const { name: topic } = SERVICE_BUS_TOPICS.notifications;
  const { name: queue } = SERVICE_BUS_QUEUES.deliveries;
  const [namespace] = serviceBusEntities().UserConfig.Namespaces;
  const older = { UserConfig: { Namespaces: [{ ...namespace, Name: 'sbemulatorns', Topics: [] }] } };
  await withBus(older, async (client) => {
    await client.createSender(queue).sendMessages({ body: 'old' });
  });
  const subscription = { name: 'mine', hasSessions: false, filter: "kind = 'kv'" };
  await withBus(serviceBusEntities([subscription]), async (client) => {
    await client.createSender(topic).sendMessages([
      { body: 'passed over', applicationProperties: { kind: 'app' } },
      { body: 'new', applicationProperties: { kind: 'kv' } },
    ]);
    const [message] = await client.createReceiver(topic, subscription.name).receiveMessages(1);
    expect(message?.body).toBe('new');
    const [waiting] = await client.createReceiver(queue).receiveMessages(1);
    expect(waiting?.body).toBe('old');
  });
});

async function withDatabase(
  use: (client: CosmosClient, connectionString: string) => Promise<void>,
): Promise<void> {
  const server = await startCosmosServer({ port: 0, dataFolder: folder });
  const client = new CosmosClient(server.connectionString);
  try {
    await use(client, server.connectionString);
  } finally {
    client.dispose();
    await server.stop();
  }
}

async function withBus(
  config: ReturnType<typeof serviceBusEntities>,
  use: (client: ServiceBusClient) => Promise<void>,
): Promise<void> {
  const server = await startServiceBusServer({ port: 0, dataFolder: folder, config });
  const client = new ServiceBusClient(server.connectionString);
  try {
    await use(client);
  } finally {
    await client.close();
    await server.stop();
  }
}

async function idsByNamespace(database: Database): Promise<string[]> {
  const query = "SELECT VALUE c.id FROM c WHERE c.ns >= 'a' ORDER BY c.ns DESC";
  const container = database.container(COSMOS_CONTAINERS.deliveries.id);
  return (await container.items.query<string>(query, { partitionKey: 's' }).fetchAll()).resources;
}
