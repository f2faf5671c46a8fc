import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ServiceBusClient } from '@azure/service-bus';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type ServiceBusServer, startServiceBusServer } from '../../../infra/local/servicebus/server.ts';
import { type HostProcess, startHost } from './host-process.ts';

const PATIENCE = { timeout: 45_000, interval: 20 };
/** For what is asked of the bus itself, by links of its own. */
const IN_TIME = { timeout: 40_000, interval: 200 };
const LOCK_SECONDS = 5;

let dataFolder: string;
let bus: ServiceBusServer;
let client: ServiceBusClient;

const Properties = { LockDuration: `PT${LOCK_SECONDS}S`, MaxDeliveryCount: 3 };
const ordered = { ...Properties, RequiresSession: true };
const namespace = {
  Name: 'test',
  Queues: [{ Name: 'ordered', Properties: ordered }],
  Topics: [
    {
      Name: 'news',
      Subscriptions: [
        { Name: 'all', Properties },
        { Name: 'grouped', Properties: ordered },
      ],
    },
  ],
};

const startBus = (port: number) =>
  startServiceBusServer({ port, dataFolder, config: { UserConfig: { Namespaces: [namespace] } } });

beforeEach(async () => {
  dataFolder = await mkdtemp(path.join(tmpdir(), 'host-bus-'));
  bus = await startBus(0);
  client = new ServiceBusClient(bus.connectionString, {
    retryOptions: { retryDelayInMs: 100, timeoutInMs: 10_000 },
  });
});

afterEach(async () => {
  await client.close();
  await bus.stop();
  await rm(dataFolder, { recursive: true });
});

async function start(): Promise<HostProcess> {
  const environment = { BUS: bus.connectionString, TOPIC: 'news', SUBSCRIPTION: 'all' };
  const host = await startHost('sessions', environment);
  onTestFinished(() => host.kill());
  return host;
}

async function send(sessionId: string | undefined, bodies: readonly string[], to = 'ordered'): Promise<void> {
  const sender = client.createSender(to);
  await sender.sendMessages(
    bodies.map((body) => ({ body: Buffer.from(body), ...(sessionId !== undefined && { sessionId }) })),
  );
  await sender.close();
}

function reportsOf(host: HostProcess, name: string, event: string) {
  return host.reports.filter((report) => report.name === name && report.event === event);
}

const messagesOf = (host: HostProcess, name: string, event: string) =>
  reportsOf(host, name, event).map(({ message }) => message);
const ordering = (host: HostProcess, event: string) => messagesOf(host, 'ordered', event);

describe('a topic', () => {
  it('reaches the function of each subscription, with and without sessions', async () => {
    const host = await start();
    await send('group', ['for both'], 'news');
    await send(undefined, ['for one'], 'news');
    await vi.waitFor(() => {
      expect(messagesOf(host, 'all', 'ended').sort()).toEqual(['for both', 'for one']);
      expect(messagesOf(host, 'grouped', 'ended')).toEqual(['for both']);
    }, PATIENCE);
    expect(reportsOf(host, 'grouped', 'ended')[0]?.sessionId).toBe('group');
  });

  it('keeps what a function fails on for each subscription apart', async () => {
    const host = await start();
    await send('group', ['never'], 'news');
    const deadLetters = async (subscription: string) => {
      const receiver = client.createReceiver('news', subscription, { subQueueType: 'deadLetter' });
      const messages = await receiver.peekMessages(10);
      await receiver.close();
      return messages.map(({ body, deadLetterReason }) => [String(body), deadLetterReason]);
    };
    const dead = [['never', 'MaxDeliveryCountExceeded']];
    await vi.waitFor(async () => {
      expect(await deadLetters('all')).toEqual(dead);
      expect(await deadLetters('grouped')).toEqual(dead);
    }, IN_TIME);
    await vi.waitFor(
      () => expect(messagesOf(host, 'all', 'started')).toEqual(['never', 'never', 'never']),
      IN_TIME,
    );
  });
});

describe('a session', () => {
  it('is served in order, one message at a time', async () => {
    const host = await start();
    await send('a', ['hold one', 'two', 'three', 'four', 'five']);
    await vi.waitFor(() => expect(ordering(host, 'started')).toEqual(['hold one']), PATIENCE);
    // Another session overtakes it.
    await send('b', ['six']);
    await vi.waitFor(() => expect(ordering(host, 'ended')).toEqual(['six']), PATIENCE);
    expect(ordering(host, 'started')).toEqual(['hold one', 'six']);
    host.send({ type: 'let go' });
    await vi.waitFor(
      () => expect(ordering(host, 'ended')).toEqual(['six', 'hold one', 'two', 'three', 'four', 'five']),
      PATIENCE,
    );
  });

  it('keeps its order when a message fails and comes again', async () => {
    const host = await start();
    await send('a', ['one', 'fail two', 'three']);
    await vi.waitFor(() => expect(ordering(host, 'ended')).toHaveLength(3), PATIENCE);
    expect(ordering(host, 'started')).toEqual(['one', 'fail two', 'fail two', 'three']);
    expect(reportsOf(host, 'ordered', 'started').map(({ deliveryCount }) => deliveryCount)).toEqual([
      1, 1, 2, 1,
    ]);
  });

  it('waits while as many as maxConcurrentSessions are served, until one of them is idle', async () => {
    const host = await start();
    await send('a', ['hold a']);
    await send('b', ['hold b']);
    await vi.waitFor(() => expect(ordering(host, 'started').sort()).toEqual(['hold a', 'hold b']), PATIENCE);
    await send('c', ['c']);
    // What is sent later to a session that is served overtakes it.
    await send('a', ['a']);
    host.send({ type: 'let go' });
    await vi.waitFor(() => expect(ordering(host, 'ended')).toContain('c'), PATIENCE);
    expect(ordering(host, 'ended').indexOf('a')).toBeLessThan(ordering(host, 'ended').indexOf('c'));
  });

  it('that is idle can be had by others', async () => {
    const host = await start();
    await send('a', ['one']);
    await vi.waitFor(() => expect(ordering(host, 'ended')).toEqual(['one']), PATIENCE);
    const accept = async () => client.acceptSession('ordered', 'a');
    await expect(accept()).rejects.toMatchObject({ code: 'SessionCannotBeLocked' });
    await vi.waitFor(async () => (await accept()).close(), PATIENCE);
  });

  it('stays locked for as long as a message runs', async () => {
    const host = await start();
    await send('a', ['hold']);
    await vi.waitFor(() => expect(ordering(host, 'started')).toEqual(['hold']), PATIENCE);
    const rival = client.acceptNextSession('ordered');
    await expect(rival).rejects.toMatchObject({ code: 'ServiceTimeout' });
    host.send({ type: 'let go' });
    await vi.waitFor(() => expect(ordering(host, 'ended')).toEqual(['hold']), PATIENCE);
    expect(ordering(host, 'started')).toEqual(['hold']);
  });

  it('is let go when the host stops, after what runs is settled', async () => {
    const host = await start();
    await send('a', ['hold', 'later']);
    await vi.waitFor(() => expect(ordering(host, 'started')).toEqual(['hold']), PATIENCE);
    host.signal('SIGTERM');
    await vi.waitFor(() => expect(fetch(host.url)).rejects.toThrow(), PATIENCE);
    host.send({ type: 'let go' });
    expect(await host.exited).toBe(0);
    expect(host.output()).not.toContain('did not end');
    const session = await client.acceptSession('ordered', 'a');
    const [message] = await session.receiveMessages(1);
    expect([String(message?.body), message?.deliveryCount]).toEqual(['later', 0]);
    await session.close();
  });

  it('is served once a Service Bus is there that was away, and again after a break', async () => {
    await bus.stop();
    const host = await start();
    const away = "Service Bus queue 'ordered' does not answer";
    await vi.waitFor(() => expect(host.output()).toContain(away), PATIENCE);
    bus = await startBus(bus.port);
    await send('a', ['one']);
    await vi.waitFor(() => expect(ordering(host, 'ended')).toEqual(['one']), PATIENCE);
    const { port } = bus;
    await bus.stop();
    bus = await startBus(port);
    await send('a', ['two']);
    await vi.waitFor(() => expect(ordering(host, 'ended')).toContain('two'), {
      timeout: 25_000,
      interval: 20,
    });
  });
});
