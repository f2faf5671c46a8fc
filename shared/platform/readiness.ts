import type { Database } from '@azure/cosmos';
import type { ServiceBusClient } from '@azure/service-bus';
import type { BlobServiceClient } from '@azure/storage-blob';
import type { Clock } from './clock.ts';
import { BLOB_CONTAINERS, COSMOS_CONTAINERS, SERVICE_BUS_QUEUES } from './topology.ts';

/** How one dependency answered. */
export interface DependencyReport {
  readonly status: 'ready' | 'unready';
  /** What went wrong, without anything secret. */
  readonly detail?: string;
  readonly durationMs: number;
}

export interface ReadinessReport {
  readonly status: 'ready' | 'unready';
  readonly dependencies: Readonly<Record<DependencyName, DependencyReport>>;
}

export type DependencyName = 'cosmos' | 'serviceBus' | 'blob';

export interface ReadinessOptions {
  readonly database: () => Database;
  readonly serviceBus: () => Promise<ServiceBusClient>;
  readonly blob: () => Promise<BlobServiceClient>;
  readonly clock: Clock;
}

/** Every check ends within this time, so that a probe always gets its answer. */
const CHECK_TIMEOUT_MILLISECONDS = 2_000;

/** Asks every dependency a cheap question that only the service itself can answer. */
export class Readiness {
  readonly #options: ReadinessOptions;
  #running: Promise<ReadinessReport> | undefined;

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /**
   * Checks all dependencies at once. Callers that come while a check runs share it: the probe is open to
   * everyone.
   */
  check(): Promise<ReadinessReport> {
    this.#running ??= this.#checkAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #checkAll(): Promise<ReadinessReport> {
    const [cosmos, serviceBus, blob] = await Promise.all([
      this.#ask((signal) => this.#askCosmos(signal)),
      this.#ask((signal) => this.#askServiceBus(signal)),
      this.#ask((signal) => this.#askBlob(signal)),
    ]);
    const isReady = [cosmos, serviceBus, blob].every(({ status }) => status === 'ready');
    return { status: isReady ? 'ready' : 'unready', dependencies: { cosmos, serviceBus, blob } };
  }

  async #askCosmos(abortSignal: AbortSignal): Promise<void> {
    await this.#options.database().container(COSMOS_CONTAINERS.records.id).read({ abortSignal });
  }

  async #askServiceBus(abortSignal: AbortSignal): Promise<void> {
    const client = await this.#options.serviceBus();
    const receiver = client.createReceiver(SERVICE_BUS_QUEUES.deliveries.name);
    try {
      await receiver.peekMessages(1, { abortSignal });
    } finally {
      await receiver.close();
    }
  }

  async #askBlob(abortSignal: AbortSignal): Promise<void> {
    const service = await this.#options.blob();
    const [container] = BLOB_CONTAINERS;
    await service.getContainerClient(container).getProperties({ abortSignal });
  }

  async #ask(question: (signal: AbortSignal) => Promise<void>): Promise<DependencyReport> {
    const { clock } = this.#options;
    const startedAt = clock.now();
    const abort = new AbortController();
    const detail = await Promise.race([
      question(abort.signal).then(() => undefined, describeFault),
      timeoutAfter(CHECK_TIMEOUT_MILLISECONDS, abort.signal),
    ]);
    abort.abort();
    const durationMs = clock.now() - startedAt;
    return detail === undefined ? { status: 'ready', durationMs } : { status: 'unready', detail, durationMs };
  }
}

/** SDKs do not all heed their abort signal in time, so the limit is kept here as well. */
function timeoutAfter(milliseconds: number, settled: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(`no answer within ${milliseconds} ms`), milliseconds);
    settled.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}

/** The error's code or name: messages of SDKs quote addresses and sometimes more. */
function describeFault(error: unknown): string {
  if (typeof error !== 'object' || error === null) {
    return 'failed';
  }
  const facts = 'code' in error ? error.code : 'name' in error ? error.name : undefined;
  return typeof facts === 'string' || typeof facts === 'number' ? `failed with ${facts}` : 'failed';
}
