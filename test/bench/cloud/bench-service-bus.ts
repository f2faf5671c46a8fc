import { randomUUID } from 'node:crypto';
import type { ServiceBusClient, ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import { connectServiceBus } from '../../../shared/platform/servicebus.ts';
import { SERVICE_BUS_QUEUES } from '../../../shared/platform/topology.ts';
import { printReport } from './print-report.ts';
import { RawStorage } from './raw-storage.ts';
import { type Row, type Run, takeRounds } from './rounds.ts';
import { ServerProcess } from './server-process.ts';
import { type Call, duringSeconds, repeat, times, type Work } from './work.ts';

interface Queues {
  readonly client: ServiceBusClient;
  readonly sender: ServiceBusSender;
  readonly scheduler: ServiceBusSender;
}

const QUEUE = 'bench';
const SCHEDULE_QUEUE = 'bench-schedule';
const MESSAGE_BYTES = 700;
const ARRAY = 100;
const STORAGE_SECONDS = 0.1;

/** The Service Bus emulator through the SDK, as Skerry uses it, against a stub and LMDB alone. */
export async function benchServiceBus(folder: string, quick: boolean): Promise<void> {
  const emulator = await ServerProcess.start('emulator-process.ts', [
    'servicebus',
    folder,
    JSON.stringify(config()),
  ]);
  const stub = await ServerProcess.start('service-bus-stub.ts', [String(ARRAY)]);
  const targets = {
    emulator: { server: emulator, client: await connect(emulator.connectionString) },
    stub: { server: stub, client: await connect(stub.connectionString) },
    unsynced: new RawStorage(folder, { synced: false, valueBytes: MESSAGE_BYTES }),
    synced: new RawStorage(folder, { synced: true, valueBytes: MESSAGE_BYTES }),
  };
  const taken = await takeRounds(rowsOf(quick ? 1 : 4), targets, 5);
  printReport(
    `The embedded Service Bus, messages of ${MESSAGE_BYTES} bytes, all counted by the message`,
    taken,
  );
  await Promise.all([targets.emulator.client.client.close(), targets.stub.client.client.close()]);
  await Promise.all([targets.unsynced.close(), targets.synced.close(), emulator.stop(), stub.stop()]);
}

/** Each row that receives takes what the row before it sent, so that every round leaves the queue empty. */
function rowsOf(scale: number): Row<Queues>[] {
  const few = 500 * scale;
  const many = 3000 * scale;
  return [
    send(1, few),
    subscribe(1, few),
    send(32, many),
    subscribe(32, many),
    sendArrays(many),
    receiveArrays(many),
    schedule(1, few),
    schedule(32, few),
  ];
}

function send(concurrency: number, count: number): Row<Queues> {
  return {
    name: 'send',
    concurrency,
    prepare: async ({ sender }) => ({
      perform: () =>
        repeat(
          callers(concurrency, () => sender.sendMessages(createMessage())),
          times(count),
        ),
    }),
    write: (storage) => appendSingly(storage, concurrency),
  };
}

function subscribe(concurrency: number, count: number): Row<Queues> {
  return {
    name: 'subscribe, complete',
    concurrency,
    prepare: async ({ client }) => receiveSingly(client, concurrency, count),
    write: (storage) =>
      repeat(
        callers(concurrency, () => storage.remove(1)),
        whileStored(storage),
      ),
  };
}

function sendArrays(count: number): Row<Queues> {
  return {
    name: `send arrays of ${ARRAY}`,
    concurrency: 1,
    prepare: async ({ sender }) => {
      const call = async () => {
        await sender.sendMessages(Array.from({ length: ARRAY }, createMessage));
        return ARRAY;
      };
      return { perform: () => repeat([call], times(count / ARRAY)) };
    },
    write: (storage) => repeat([() => storage.append(ARRAY)], duringSeconds(STORAGE_SECONDS)),
  };
}

function receiveArrays(count: number): Row<Queues> {
  return {
    name: `receiveMessages(${ARRAY}), complete`,
    concurrency: 1,
    async prepare({ client }) {
      const receiver = client.createReceiver(QUEUE);
      let left = count;
      const call = async () => {
        const messages = await receiver.receiveMessages(ARRAY, { maxWaitTimeInMs: 5_000 });
        if (messages.length === 0) throw new Error(`${left} messages were not delivered.`);
        await Promise.all(messages.map((message) => receiver.completeMessage(message)));
        left -= messages.length;
        return messages.length;
      };
      return { perform: () => repeat([call], () => left > 0), finish: () => receiver.close() };
    },
    write: (storage) => repeat([() => storage.remove(ARRAY)], whileStored(storage)),
  };
}

function schedule(concurrency: number, count: number): Row<Queues> {
  return {
    name: 'schedule',
    concurrency,
    async prepare({ scheduler }) {
      const scheduled: Long[] = [];
      const call = async () => {
        const inAnHour = new Date(Date.now() + 3_600_000);
        scheduled.push(...(await scheduler.scheduleMessages(createMessage(), inAnHour)));
      };
      return {
        perform: () => repeat(callers(concurrency, call), times(count)),
        async finish() {
          while (scheduled.length > 0) await scheduler.cancelScheduledMessages(scheduled.splice(0, ARRAY));
        },
      };
    },
    write: (storage) => appendSingly(storage, concurrency),
  };
}

type Long = Awaited<ReturnType<ServiceBusSender['scheduleMessages']>>[number];

/**
 * Receives as the functions host does: each message is completed by its handler. A message's latency is the turn of one of the
 * `concurrency` places: from its being free until it is free again, the message received and completed.
 */
function receiveSingly(client: ServiceBusClient, concurrency: number, count: number): Run {
  const receiver = client.createReceiver(QUEUE);
  let unsubscribe = async (): Promise<void> => {};
  return {
    perform: () =>
      new Promise<Work>((resolve, reject) => {
        const latencies: number[] = [];
        const freeSince: number[] = [];
        let startedAt: number | undefined;
        const subscription = receiver.subscribe(
          {
            async processMessage(message) {
              if (startedAt === undefined) {
                startedAt = performance.now();
                freeSince.push(...Array<number>(concurrency).fill(startedAt));
              }
              const turnBeganAt = freeSince.shift() ?? startedAt;
              await receiver.completeMessage(message);
              const now = performance.now();
              latencies.push(now - turnBeganAt);
              freeSince.push(now);
              if (latencies.length === count) {
                resolve({ operations: count, seconds: (now - startedAt) / 1000, latencies });
              }
            },
            processError: async ({ error }) => reject(error),
          },
          { autoCompleteMessages: false, maxConcurrentCalls: concurrency },
        );
        unsubscribe = () => subscription.close();
      }),
    async finish() {
      await unsubscribe();
      await receiver.close();
    },
  };
}

function callers(concurrency: number, call: Call): Call[] {
  return Array<Call>(concurrency).fill(call);
}

function appendSingly(storage: RawStorage, concurrency: number): Promise<Work> {
  return repeat(
    callers(concurrency, () => storage.append(1)),
    duringSeconds(STORAGE_SECONDS),
  );
}

function whileStored(storage: RawStorage): () => boolean {
  const inTime = duringSeconds(STORAGE_SECONDS);
  return () => !storage.isEmpty && inTime();
}

function createMessage(): ServiceBusMessage {
  return {
    body: { text: 'x'.repeat(MESSAGE_BYTES - 11) },
    messageId: randomUUID(),
    contentType: 'application/json',
  };
}

async function connect(connectionString: string): Promise<Queues> {
  const client = await connectServiceBus(connectionString);
  return { client, sender: client.createSender(QUEUE), scheduler: client.createSender(SCHEDULE_QUEUE) };
}

/** Two queues like Skerry's own, in the form of the official emulator's Config.json. */
function config() {
  const { lockDuration, maxDeliveryCount, duplicateDetectionWindow } = SERVICE_BUS_QUEUES.deliveries;
  const properties = {
    LockDuration: lockDuration,
    MaxDeliveryCount: maxDeliveryCount,
    RequiresDuplicateDetection: true,
    DuplicateDetectionHistoryTimeWindow: duplicateDetectionWindow,
  };
  const queues = [QUEUE, SCHEDULE_QUEUE].map((name) => ({ Name: name, Properties: properties }));
  return { UserConfig: { Namespaces: [{ Name: 'sbemulatorns', Queues: queues, Topics: [] }] } };
}
