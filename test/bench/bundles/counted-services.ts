import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { composeServices, type Services } from '../../../functions/services.ts';
import { readSettings } from '../../../shared/platform/settings.ts';
import { startBlob } from '../../integration/blob-fixture.ts';
import { startCosmos } from '../../integration/cosmos-fixture.ts';

/** What some work asked of storage. */
export interface StorageUsage {
  readonly blobRequests: number;
  readonly cosmosRequests: number;
  /** By the emulator's model of request charges; Strong reads are billed double in Azure. */
  readonly requestUnits: number;
}

/** The services of one process over emulators of its own, whose requests are counted on their way out. */
export interface CountedServices {
  readonly services: Services;
  /** Waits also for what the work leaves to the background. */
  measure(work: () => Promise<unknown>): Promise<StorageUsage>;
  stop(): Promise<void>;
}

interface Message {
  readonly request: ClientRequest;
  readonly response?: IncomingMessage;
}

const STARTED = 'http.client.request.start';
const ANSWERED = 'http.client.response.finish';
const FAILED = 'http.client.request.error';

export async function startCountedServices(): Promise<CountedServices> {
  const [cosmos, blob] = await Promise.all([startCosmos(), startBlob()]);
  const services = composeServices(
    readSettings({
      SKERRY_COSMOS: cosmos.server.connectionString,
      SKERRY_SERVICEBUS: 'Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=x;SharedAccessKey=y;',
      SKERRY_BLOB: blob.connectionString,
    }),
  );
  const blobHost = new URL(blob.service.url).host;
  const count = { blobRequests: 0, cosmosRequests: 0, requestUnits: 0 };
  let underWay = 0;
  const started = (message: unknown) => {
    underWay += 1;
    const isBlob = (message as Message).request.getHeader('host') === blobHost;
    count[isBlob ? 'blobRequests' : 'cosmosRequests'] += 1;
  };
  const ended = (message: unknown) => {
    underWay -= 1;
    count.requestUnits += Number((message as Message).response?.headers['x-ms-request-charge'] ?? 0);
  };
  subscribe(STARTED, started);
  subscribe(ANSWERED, ended);
  subscribe(FAILED, ended);

  const settle = async () => {
    do await sleep(20);
    while (underWay > 0);
  };
  return {
    services,
    async measure(work) {
      await settle();
      const before = { ...count };
      await work();
      await settle();
      return {
        blobRequests: count.blobRequests - before.blobRequests,
        cosmosRequests: count.cosmosRequests - before.cosmosRequests,
        requestUnits: count.requestUnits - before.requestUnits,
      };
    },
    async stop() {
      unsubscribe(STARTED, started);
      unsubscribe(ANSWERED, ended);
      unsubscribe(FAILED, ended);
      await Promise.all([cosmos.stop(), blob.stop()]);
    },
  };
}
