import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ServiceBusClient, type ServiceBusMessage } from '@azure/service-bus';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type ServiceBusServer, startServiceBusServer } from '../../../infra/local/servicebus/server.ts';
import { type HostProcess, startHost } from './host-process.ts';

const PATIENCE = { timeout: 45_000, interval: 20 };

let dataFolder: string;
let bus: ServiceBusServer;
let client: ServiceBusClient;

const LOCK_SECONDS = 5;
const queue = (Name: string) => ({
  Name,
  Properties: { LockDuration: `PT${LOCK_SECONDS}S`, MaxDeliveryCount: 3 },
});

const startBus = (port: number) =>
  startServiceBusServer({
    port,
    dataFolder,
    config: {
      UserConfig: {
        Namespaces: [{ Name: 'test', Queues: ['tasks', 'kept', 'raw', 'doomed'].map(queue) }],
      },
    },
  });

beforeEach(async () => {
  dataFolder = await mkdtemp(path.join(tmpdir(), 'host-bus-'));
  bus = await startBus(0);
  client = new ServiceBusClient(bus.connectionString, { retryOptions: { retryDelayInMs: 100 } });
});

afterEach(async () => {
  await client.close();
  await bus.stop();
  await rm(dataFolder, { recursive: true });
});

async function start(fixture = 'service-bus'): Promise<HostProcess> {
  const host = await startHost(fixture, { BUS: bus.connectionString, QUEUE: 'tasks' });
  onTestFinished(() => host.kill());
  return host;
}

async function send(message: ServiceBusMessage, queueName = 'tasks'): Promise<void> {
  const sender = client.createSender(queueName);
  await sender.sendMessages(message);
  await sender.close();
}

async function peek(subQueue?: 'deadLetter', queueName = 'tasks') {
  const receiver = client.createReceiver(queueName, subQueue ? { subQueueType: subQueue } : {});
  const messages = await receiver.peekMessages(100);
  await receiver.close();
  return messages;
}

const countIn = async (...where: Parameters<typeof peek>) => (await peek(...where)).length;

const reportsOf = (host: HostProcess, event: string) =>
  host.reports.filter((report) => report.event === event);
const messagesOf = (host: HostProcess, event: string) => reportsOf(host, event).map(({ message }) => message);

describe('a message', () => {
  it('reaches the function with its metadata and is completed', async () => {
    const host = await start();
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await send({
      body: { order: 7, list: [1], subject: 'from the body', nested: { Deep: true } },
      messageId: 'id-1',
      subject: 'from the message',
      correlationId: '12',
      contentType: 'application/json',
      to: 'the function',
      replyTo: 'the test',
      replyToSessionId: 'its session',
      partitionKey: 'one',
      applicationProperties: { Colour: 'red', Count: 1, At: new Date(0), 'Diagnostic-Id': parent },
    });
    await vi.waitFor(() => expect(messagesOf(host, 'ended')).toHaveLength(1), PATIENCE);
    const [report] = reportsOf(host, 'started');
    expect(report?.message).toEqual({
      order: 7,
      list: [1],
      subject: 'from the body',
      nested: { Deep: true },
    });
    const date = (zone: string) =>
      expect.stringMatching(new RegExp(`^[29]\\d{3}-\\d\\d-\\d\\dT[\\d:.]+${zone}$`));
    const properties = { colour: 'red', count: 1, at: '1970-01-01T00:00:00Z', 'diagnostic-Id': parent };
    const metadata = report?.triggerMetadata;
    expect(metadata).toEqual({
      messageId: 'id-1',
      correlationId: 12,
      subject: 'from the body',
      label: 'from the message',
      contentType: 'application/json',
      to: 'the function',
      replyTo: 'the test',
      replyToSessionId: 'its session',
      partitionKey: 'one',
      lockToken: expect.stringMatching(/^[0-9a-f-]{36}$/),
      deliveryCount: 1,
      sequenceNumber: expect.any(Number),
      enqueuedTimeUtc: date('Z'),
      enqueuedTime: date('\\+00:00'),
      expiresAtUtc: date('Z'),
      expiresAt: date('\\+00:00'),
      applicationProperties: properties,
      userProperties: properties,
      order: 7,
      nested: { deep: true },
    });
    expect(report?.traceParent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    await vi.waitFor(async () => expect(await countIn()).toBe(0), PATIENCE);
  });

  it('that is text stays text, unless it is JSON', async () => {
    const host = await start();
    await send({ body: Buffer.from('plain text') });
    await send({ body: Buffer.from('42') });
    await vi.waitFor(() => expect(messagesOf(host, 'ended').sort()).toEqual([42, 'plain text']), PATIENCE);
  });

  it('comes again at once if the function fails, with a delivery count', async () => {
    const host = await start();
    await send({ body: Buffer.from('fail once') });
    await vi.waitFor(() => expect(messagesOf(host, 'ended')).toEqual(['fail once']), PATIENCE);
    const counts = reportsOf(host, 'started').map(
      ({ triggerMetadata }) => (triggerMetadata as { deliveryCount: number }).deliveryCount,
    );
    expect(counts).toEqual([1, 2]);
  });

  it.each([[['good', 'bad']], [['bad', 'good']]])(
    'has an outcome of its own, whatever that of another at the same moment: %j',
    async (names) => {
      const host = await start();
      for (const name of names) await send({ body: { name, hold: true, failOnce: name === 'bad' } });
      const started = () => messagesOf(host, 'started').map((message) => (message as { name: string }).name);
      await vi.waitFor(() => expect(started()).toEqual(names), PATIENCE);
      host.send({ type: 'let go' });
      await vi.waitFor(() => expect(started().slice(2)).toEqual(['bad']), PATIENCE);
      host.send({ type: 'let go' });
      await vi.waitFor(async () => expect(await countIn()).toBe(0), PATIENCE);
      expect(started()).toEqual([...names, 'bad']);
    },
  );

  it('is dead-lettered by the broker after its last delivery', async () => {
    const host = await start();
    await send({ body: Buffer.from('fail') });
    await vi.waitFor(async () => expect(await countIn('deadLetter')).toBe(1), PATIENCE);
    // The broker may be done with a message before what the host has told of it arrives here.
    await vi.waitFor(() => expect(messagesOf(host, 'started')).toEqual(['fail', 'fail', 'fail']), PATIENCE);
    expect(await countIn()).toBe(0);
  });

  it('that is a dead letter reaches a function that listens to those', async () => {
    const host = await start();
    await send({ body: Buffer.from('lost') }, 'doomed');
    await vi.waitFor(() => expect(messagesOf(host, 'buried')).toEqual(['lost']), PATIENCE);
    await vi.waitFor(async () => expect(await countIn('deadLetter', 'doomed')).toBe(0), PATIENCE);
    expect(reportsOf(host, 'buried')[0]?.properties).toMatchObject({
      deadLetterReason: 'MaxDeliveryCountExceeded',
    });
  });

  it('reaches a function as bytes that asks for them', async () => {
    const host = await start();
    await send({ body: Buffer.from([0, 255, 128]) }, 'raw');
    await vi.waitFor(() => expect(messagesOf(host, 'raw')).toEqual([{ base64: 'AP+A' }]), PATIENCE);
  });

  it('stays where it is without autoCompleteMessages', async () => {
    const host = await start();
    await send({ body: 'left alone' }, 'kept');
    await vi.waitFor(() => expect(messagesOf(host, 'kept')).toEqual(['left alone']), PATIENCE);
    expect(await countIn(undefined, 'kept')).toBe(1);
  });
});

describe('messages', () => {
  it('run side by side as many as maxConcurrentCalls', async () => {
    const host = await start();
    for (const name of ['a', 'b', 'c']) await send({ body: { hold: name } });
    await vi.waitFor(() => expect(messagesOf(host, 'started')).toHaveLength(2), PATIENCE);
    host.send({ type: 'let go' });
    await vi.waitFor(() => expect(messagesOf(host, 'started')).toHaveLength(3), PATIENCE);
    expect(messagesOf(host, 'ended')).toHaveLength(2);
  });

  it('keep their locks while they run', async () => {
    const host = await start();
    await send({ body: { hold: 'long' } });
    await vi.waitFor(() => expect(messagesOf(host, 'started')).toHaveLength(1), PATIENCE);
    const rival = client.createReceiver('tasks');
    expect(await rival.receiveMessages(1, { maxWaitTimeInMs: LOCK_SECONDS * 1000 + 500 })).toEqual([]);
    await rival.close();
    expect(messagesOf(host, 'started')).toHaveLength(1);
    host.send({ type: 'let go' });
    await vi.waitFor(async () => expect(await countIn()).toBe(0), PATIENCE);
  });

  it('lose their locks when they run longer than maxAutoLockRenewalDuration, and come again', async () => {
    const host = await start('brief-locks');
    await send({ body: { hold: 'longer' } });
    await vi.waitFor(() => expect(messagesOf(host, 'started')).toHaveLength(2), {
      timeout: (LOCK_SECONDS + 10) * 1000,
      interval: 20,
    });
    host.send({ type: 'let go' });
    await vi.waitFor(() => expect(messagesOf(host, 'ended')).toHaveLength(2), PATIENCE);
    await vi.waitFor(async () => expect(await countIn()).toBe(0), PATIENCE);
    const outcome = 'could not be settled and will come again';
    await vi.waitFor(() => expect(host.output()).toContain(outcome), PATIENCE);
  });

  it('that outlive functionTimeout come again, each time to a new worker, until they are dead-lettered', async () => {
    const host = await start('brief-timeout');
    await send({ body: { hold: 'too long' } });
    await vi.waitFor(async () => expect(await countIn('deadLetter')).toBe(1), {
      timeout: 25_000,
      interval: 20,
    });
    const counts = reportsOf(host, 'started').map(
      ({ triggerMetadata }) => (triggerMetadata as { deliveryCount: number }).deliveryCount,
    );
    expect(counts).toEqual([1, 2, 3]);
    expect(new Set(reportsOf(host, 'started').map(({ pid }) => pid)).size).toBe(3);
  });

  it('that run when the host stops are settled, and none other is taken', async () => {
    const host = await start();
    await send({ body: { hold: 'running' } });
    await vi.waitFor(() => expect(messagesOf(host, 'started')).toHaveLength(1), PATIENCE);
    host.signal('SIGTERM');
    await vi.waitFor(() => expect(fetch(host.url)).rejects.toThrow(), PATIENCE);
    await send({ body: 'later' });
    host.send({ type: 'let go' });
    expect(await host.exited).toBe(0);
    expect(messagesOf(host, 'ended')).toEqual([{ hold: 'running' }]);
    expect((await peek()).map(({ body, deliveryCount }) => [body, deliveryCount])).toEqual([['later', 0]]);
  });
});

describe('a Service Bus that is away', () => {
  it('leaves HTTP answering, and is listened to once it is back', async () => {
    const { port } = bus;
    await bus.stop();
    const host = await start();
    expect(await (await fetch(`${host.url}/api/alive`)).text()).toBe('alive');
    await vi.waitFor(
      () => expect(host.output()).toContain("Service Bus queue 'tasks' does not answer"),
      PATIENCE,
    );
    bus = await startBus(port);
    await send({ body: 'after the start' });
    await vi.waitFor(() => expect(messagesOf(host, 'ended')).toEqual(['after the start']), PATIENCE);

    await bus.stop();
    bus = await startBus(port);
    await send({ body: 'after a break' });
    // The SDK may need a new client first; and what was completed in the moment of the break may come again.
    await vi.waitFor(() => expect(messagesOf(host, 'ended')).toContain('after a break'), {
      timeout: 25_000,
      interval: 20,
    });
  });

  it('says why it does not let the host in', async () => {
    const wrong = bus.connectionString.replace(/SharedAccessKey=[^;]+/, 'SharedAccessKey=wrong');
    const host = await startHost('service-bus', { BUS: wrong, QUEUE: 'tasks' });
    onTestFinished(() => host.kill());
    const why = /queue 'tasks' does not answer, trying on: .*invalid signature/;
    await vi.waitFor(() => expect(host.output()).toMatch(why), PATIENCE);
  });
});
