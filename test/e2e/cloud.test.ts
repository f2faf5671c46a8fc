import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { CosmosClient } from '@azure/cosmos';
import { ServiceBusClient } from '@azure/service-bus';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { COSMOS_CONTAINERS, COSMOS_DATABASE } from '../../shared/platform/topology.ts';
import { FREE_PORTS, type Launcher, launch } from './skerry.ts';

const [, , ...SERVER_PORTS] = FREE_PORTS;
const DEADLINE = { timeout: 45_000, interval: 20 };

let folder: string;
const started: Launcher[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-test-'));
});

afterEach(async () => {
  await Promise.all(
    started.splice(0).map(async (launcher) => {
      launcher.process.kill('SIGTERM');
      await launcher.exitCode();
    }),
  );
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

function startCloud(...flags: string[]): Launcher {
  const launcher = launch([...SERVER_PORTS, '--ephemeral', ...flags], { program: 'cloud' });
  started.push(launcher);
  return launcher;
}

/** The lines of standard output, once there are `count` of them. */
async function linesOf(launcher: Launcher, count: number): Promise<string[]> {
  return vi.waitFor(() => {
    const lines = launcher.results().split('\n').slice(0, -1);
    expect(lines, launcher.output()).toHaveLength(count);
    return lines;
  }, DEADLINE);
}

describe('npm run cloud', () => {
  test('prints one connection string a line, with which the Azure SDKs find what Skerry declares', async () => {
    const [cosmos = '', servicebus = '', blob = ''] = await linesOf(startCloud('--write-once'), 3);

    const cosmosClient = new CosmosClient(cosmos);
    const { resources } = await cosmosClient.database(COSMOS_DATABASE).containers.readAll().fetchAll();
    expect(resources.map(({ id }) => id).sort()).toEqual(
      Object.values(COSMOS_CONTAINERS)
        .map(({ id }) => id)
        .sort(),
    );
    cosmosClient.dispose();

    const serviceBusClient = new ServiceBusClient(servicebus);
    await serviceBusClient.createSender('deliveries').sendMessages({ body: 'hello' });
    const receiver = serviceBusClient.createReceiver('deliveries', { receiveMode: 'receiveAndDelete' });
    expect(await receiver.receiveMessages(1)).toMatchObject([{ body: 'hello' }]);
    await serviceBusClient.close();

    const blobService = BlobServiceClient.fromConnectionString(blob);
    expect((await blobService.listContainers().next()).value).toMatchObject({ name: 'bundles' });
    const once = blobService.getContainerClient('bundles').getBlockBlobClient('once');
    await once.upload('kept', 4);
    await expect(once.delete()).rejects.toMatchObject({ statusCode: 409, code: 'BlobImmutableDueToPolicy' });
  });

  test('starts only what is asked for, with the entities of a Config.json', async () => {
    const config = path.join(folder, 'Config.json');
    const Queues = [{ Name: 'orders', Properties: {} }];
    const UserConfig = { Namespaces: [{ Name: 'sbemulatorns', Queues, Topics: [] }] };
    await writeFile(config, JSON.stringify({ UserConfig }));
    const launcher = startCloud('--only', 'servicebus', '--servicebus-config', config);
    const [connectionString = ''] = await linesOf(launcher, 1);
    expect(connectionString).toMatch(/^Endpoint=sb:/);

    const client = new ServiceBusClient(connectionString);
    await client.createSender('orders').sendMessages({ body: 1 });
    await expect(client.createSender('deliveries').sendMessages({ body: 1 })).rejects.toMatchObject({
      code: 'MessagingEntityNotFound',
    });
    await client.close();
  });

  test('refuses entities that it cannot have with one sentence for each, and a file that is none', async () => {
    const config = path.join(folder, 'Config.json');
    const Queues = [{ Name: 'orders', Properties: { ForwardTo: 'elsewhere' } }];
    await writeFile(config, JSON.stringify({ UserConfig: { Namespaces: [{ Name: 'ns', Queues }] } }));
    const refused = startCloud('--only', 'servicebus', '--servicebus-config', config);
    expect(await refused.exitCode()).toBe(1);
    expect(refused.output()).toContain('ForwardTo');
    expect(refused.output()).not.toContain('at ');

    const missing = startCloud('--only', 'servicebus', '--servicebus-config', path.join(folder, 'none.json'));
    expect(await missing.exitCode()).toBe(1);
    expect(missing.output()).toMatch(/^The file .*none\.json of --servicebus-config cannot be read: .*\n$/);
  });

  test('answers fault injection where it is asked for, and ends cleanly on SIGTERM', async () => {
    const launcher = startCloud('--only', 'cosmos,servicebus', '--faults');
    await linesOf(launcher, 2);
    const urls = [...launcher.output().matchAll(/^faults: \w+ +(\S+)$/gm)].map(([, url]) => url ?? '');
    expect(urls).toHaveLength(2);
    for (const url of urls) expect(await (await fetch(url)).json()).toEqual({ rules: [] });

    launcher.process.kill('SIGTERM');
    expect(await launcher.exitCode()).toBe(0);
    expect(launcher.output()).toMatch(/Skerry has stopped\.\n$/);
    expect(launcher.results().split('\n')).toHaveLength(3);
  });
});

test('npm run start:func says what to install where Core Tools are missing', async () => {
  const launcher = launch(['--no-build', ...FREE_PORTS, '--ephemeral'], {
    program: 'start-func',
    env: { PATH: folder },
  });
  started.push(launcher);
  expect(await launcher.exitCode()).toBe(1);
  expect(launcher.output()).toContain('npm install -g azure-functions-core-tools@4');
});
