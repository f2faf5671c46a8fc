import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ServiceBusClient, ServiceBusError, type ServiceBusSender } from '@azure/service-bus';
import { serviceBusEntities } from '../../../infra/local/launch/service-bus-entities.ts';
import { connectServiceBus } from '../../../shared/platform/servicebus.ts';
import { SERVICE_BUS_QUEUES } from '../../../shared/platform/topology.ts';
import { ServerProcess } from '../cloud/server-process.ts';
import { now } from '../webhooks/running-product.ts';
import type { Course } from './command-course.ts';

/** As many as host.json lets one process work on. */
const SESSIONS = 64;
const CALLS = 256;
const SESSION_WAIT_MILLISECONDS = 200;

interface Waiting {
  left: number;
  readonly course: { sentAt: number; acceptedAt: number; begunAt: number };
  readonly end: (course: Course) => void;
}

/** The sends and receives of operations by the bare SDK on an emulator of its own, with nothing else done about them: the floor. */
export class BareBus {
  readonly #folder: string;
  readonly #emulator: ServerProcess;
  readonly #bus: ServiceBusClient;
  readonly #commands: ServiceBusSender;
  readonly #steps: ServiceBusSender;
  readonly #waiting = new Map<string, Waiting>();
  readonly #sessions: Promise<void>[];
  readonly #ending = new AbortController();

  private constructor(folder: string, emulator: ServerProcess, bus: ServiceBusClient) {
    this.#folder = folder;
    this.#emulator = emulator;
    this.#bus = bus;
    this.#commands = bus.createSender(SERVICE_BUS_QUEUES.commands.name);
    this.#steps = bus.createSender(SERVICE_BUS_QUEUES.steps.name);
    this.#receiveSteps();
    this.#sessions = Array.from({ length: SESSIONS }, () => this.#receiveCommands());
  }

  static async start(): Promise<BareBus> {
    const folder = await mkdtemp(path.join(tmpdir(), 'skerry-bench-bus-'));
    const config = JSON.stringify(serviceBusEntities([]));
    const emulator = await ServerProcess.start('emulator-process.ts', ['servicebus', folder, config]);
    return new BareBus(folder, emulator, await connectServiceBus(emulator.connectionString));
  }

  /** One command in a session, one message that has its work begun, and one for each step, so many in one array as are in flight. */
  async run(body: object, { steps, atOnce }: { steps: number; atOnce: number }): Promise<Course> {
    const id = randomUUID();
    const { promise, resolve } = Promise.withResolvers<Course>();
    const sentAt = now();
    this.#waiting.set(id, { left: steps, course: { sentAt, acceptedAt: 0, begunAt: 0 }, end: resolve });
    const contentType = 'application/cloudevents+json';
    await this.#commands.sendMessages({
      sessionId: id,
      messageId: id,
      contentType,
      body: { ...body, id, steps, atOnce },
    });
    return await promise;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#sessions);
    await this.#bus.close();
    await this.#emulator.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** One place of those that the functions host has for sessions. */
  async #receiveCommands(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      const session = await this.#bus
        .acceptNextSession(SERVICE_BUS_QUEUES.commands.name, { abortSignal: this.#ending.signal })
        .catch((error: unknown) => {
          if (this.#ending.signal.aborted || (error instanceof ServiceBusError && error.retryable))
            return undefined;
          throw error;
        });
      if (session === undefined) continue;
      const messages = await session.receiveMessages(1, { maxWaitTimeInMs: SESSION_WAIT_MILLISECONDS });
      for (const message of messages) {
        const { id, atOnce } = message.body as { id: string; atOnce: number };
        await this.#steps.sendMessages({ messageId: `${id}:advance`, body: { id, task: 'advance', atOnce } });
        await session.completeMessage(message);
        const waiting = this.#waiting.get(id);
        if (waiting !== undefined) waiting.course.acceptedAt = now();
      }
      await session.close();
    }
  }

  #receiveSteps(): void {
    this.#bus.createReceiver(SERVICE_BUS_QUEUES.steps.name).subscribe(
      {
        processMessage: async ({ body }) => {
          const {
            id,
            task,
            atOnce,
            step = 0,
          } = body as { id: string; task: string; atOnce: number; step?: number };
          const waiting = this.#waiting.get(id);
          if (waiting === undefined) return;
          const { course } = waiting;
          if (task === 'advance') {
            const first = Array.from({ length: Math.min(atOnce, waiting.left) }, (_, index) => index);
            await this.#steps.sendMessages(first.map((each) => this.#attempt(id, each, atOnce)));
            return;
          }
          course.begunAt ||= now();
          waiting.left -= 1;
          // Each that ends has the next one begin.
          if (waiting.left >= atOnce)
            await this.#steps.sendMessages(this.#attempt(id, step + atOnce, atOnce));
          if (waiting.left > 0) return;
          this.#waiting.delete(id);
          waiting.end({ ...course, endedAt: now() });
        },
        processError: async ({ error }) => {
          if (!this.#ending.signal.aborted) throw error;
        },
      },
      { maxConcurrentCalls: CALLS },
    );
  }

  #attempt(id: string, step: number, atOnce: number) {
    return { messageId: `${id}:${step}`, body: { id, task: 'attempt', step, atOnce } };
  }
}
