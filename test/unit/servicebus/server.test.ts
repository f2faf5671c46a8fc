import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceBusClient } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServiceBusConfig, startServiceBusServer } from '../../../infra/local/servicebus/server.ts';

const config: ServiceBusConfig = {
  UserConfig: { Namespaces: [{ Name: 'sbemulatorns', Queues: [{ Name: 'orders' }], Topics: [] }] },
};

describe('starting and stopping the server', () => {
  let parent: string;
  beforeAll(async () => {
    parent = await mkdtemp(join(tmpdir(), 'service-bus-test-'));
  });
  afterAll(() => rm(parent, { recursive: true, force: true }));

  it("answers the official emulator's connection string", async () => {
    const server = await startServiceBusServer({ port: 0, config });
    expect(server.connectionString).toBe(
      `Endpoint=sb://127.0.0.1:${server.port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;`,
    );
    await server.stop();
  });

  it('rejects with EADDRINUSE when the port is taken', async () => {
    const server = await startServiceBusServer({ port: 0, config });
    await expect(startServiceBusServer({ port: server.port, config })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    await server.stop();
  });

  it('keeps what was sent when it is stopped with clients connected, and starts again on the same port', async () => {
    const dataFolder = join(parent, 'a.new', 'folder.d');
    const server = await startServiceBusServer({ port: 0, dataFolder, config });
    const connected = new ServiceBusClient(server.connectionString);
    await connected.createSender('orders').sendMessages({ body: 'kept' });
    await server.stop();
    await connected.close();
    const again = await startServiceBusServer({ port: server.port, dataFolder, config });
    const client = new ServiceBusClient(again.connectionString);
    const receiver = client.createReceiver('orders');
    const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 5_000 });
    expect(message?.body).toBe('kept');
    await client.close();
    await Promise.all([again.stop(), again.stop()]);
  });

  it('rejects with a clear error when the configuration asks for what is not supported', async () => {
    const Queues = [{ Name: 'orders', Properties: { ForwardTo: 'other' as never } }];
    const forwarding = { UserConfig: { Namespaces: [{ Name: 'n', Queues }] } };
    await expect(startServiceBusServer({ port: 0, config: forwarding })).rejects.toThrow(
      'does not support ForwardTo',
    );
  });
});
