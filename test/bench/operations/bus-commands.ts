import { ServiceBusClient, type ServiceBusSender } from '@azure/service-bus';
import { operationIdOf } from '../../../client/operations/operation-id.ts';
import type { SkerryClient } from '../../../client/skerry-client.ts';
import { mapConcurrently } from '../../../shared/platform/map-concurrently.ts';
import { SERVICE_BUS_QUEUES, SERVICE_BUS_TOPICS } from '../../../shared/platform/topology.ts';
import { now } from '../webhooks/running-product.ts';
import type { Course } from './command-course.ts';

const SUBSCRIPTION = 'bench';
const SOURCE = '/bench';

/** The subscription of the bus that tells of operations, but not of their steps. */
export const OPERATION_ENDS = `${SUBSCRIPTION}=kind = 'op' AND key NOT LIKE '%/steps/%'`;

/** An operation that is over. */
export interface Ended {
  readonly id: string;
  readonly sentAt: number;
}

/** Commands as a producer on the bus sends them, which hears on the bus how they end. */
export class BusCommands {
  readonly #bus: ServiceBusClient;
  readonly #client: SkerryClient;
  readonly #sender: ServiceBusSender;
  readonly #waiting = new Map<string, () => void>();
  #count = 0;

  constructor(connectionString: string, client: SkerryClient) {
    this.#bus = new ServiceBusClient(connectionString);
    this.#client = client;
    this.#sender = this.#bus.createSender(SERVICE_BUS_QUEUES.commands.name);
    this.#bus
      .createReceiver(SERVICE_BUS_TOPICS.notifications.name, SUBSCRIPTION, {
        receiveMode: 'receiveAndDelete',
      })
      .subscribe(
        {
          processMessage: async ({ body, applicationProperties }) => {
            const isOver =
              (body as { data?: { after?: { endedAt?: string } } }).data?.after?.endedAt !== undefined;
            if (isOver) this.#waiting.get(String(applicationProperties?.name))?.();
          },
          async processError({ error }) {
            throw error;
          },
        },
        { maxConcurrentCalls: 32 },
      );
  }

  /** Sends a command for a new environment, made from one template, and waits for its end. */
  async create(template: string): Promise<Ended> {
    this.#count += 1;
    const environment = `bench-${this.#count}`;
    const id = await operationIdOf('default', SOURCE, environment);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(id, resolve);
    const sentAt = now();
    await this.#sender.sendMessages({
      sessionId: environment,
      messageId: id,
      contentType: 'application/cloudevents+json',
      body: {
        specversion: '1.0',
        id: environment,
        source: SOURCE,
        type: 'environment.create',
        data: { environment: { id: environment, name: environment, templates: [{ id: template }] } },
      },
    });
    await promise;
    this.#waiting.delete(id);
    return { id, sentAt };
  }

  /** When each point was passed, as Skerry has written it down. @throws Error for one that has not succeeded. */
  async coursesOf(ends: readonly Ended[]): Promise<Course[]> {
    return await mapConcurrently(ends, 8, async ({ id, sentAt }) => {
      const operation = await this.#client.operations.get(id);
      if (operation?.state !== 'succeeded')
        throw new Error(`${id} ${operation?.state}: ${operation?.error?.reason}`);
      const { acceptedAt, endedAt = '', steps } = operation;
      const begun = steps.flatMap(({ startedAt }) =>
        startedAt === undefined ? [] : [Date.parse(startedAt)],
      );
      return {
        sentAt,
        acceptedAt: Date.parse(acceptedAt),
        begunAt: Math.min(...begun),
        endedAt: Date.parse(endedAt),
      };
    });
  }

  async close(): Promise<void> {
    await this.#bus.close();
  }
}
