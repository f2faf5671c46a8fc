import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import { startWriteOnceProxy } from '../../infra/local/azurite/write-once-proxy.ts';
import { startChildProgram } from '../../infra/local/launch/child-program.ts';
import { blobConnectionString } from '../../infra/local/launch/connection-strings.ts';
import { provisionBlob } from '../../infra/local/launch/provision.ts';

const AZURITE = path.resolve(import.meta.dirname, '../../infra/local/azurite/main.ts');

export interface BlobFixture {
  /** Asks Azurite itself. */
  readonly connectionString: string;
  readonly service: BlobServiceClient;
  /** Puts a retention policy on the container `bundles` for those who connect by what this returns. */
  writeOnce(policy: { readonly retentionMilliseconds: number; readonly now?: () => number }): Promise<string>;
  stop(): Promise<void>;
}

/** Starts Azurite as a child on a free port, with Skerry's containers in it. */
export async function startBlob(): Promise<BlobFixture> {
  const location = await mkdtemp(path.join(tmpdir(), 'skerry-blob-'));
  const azurite = startChildProgram({
    name: 'Blob service (Azurite)',
    modulePath: AZURITE,
    commandLine: ['--port', '0', '--location', location],
    environment: process.env,
    stopMilliseconds: 5_000,
  });
  const azuritePort = Number(new URL(await azurite.ready).port);
  const connectionString = blobConnectionString(azuritePort);
  await provisionBlob(connectionString);
  const stops: (() => Promise<void>)[] = [];
  return {
    connectionString,
    service: BlobServiceClient.fromConnectionString(connectionString),
    async writeOnce(policy) {
      const proxy = await startWriteOnceProxy({ port: 0, azuritePort, container: 'bundles', ...policy });
      stops.push(() => proxy.stop());
      return blobConnectionString(proxy.port);
    },
    async stop() {
      await Promise.all(stops.map((stop) => stop()));
      await azurite.stop();
      await rm(location, { recursive: true, force: true });
    },
  };
}
