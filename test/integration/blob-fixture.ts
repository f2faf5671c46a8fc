import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import { startWriteOnceProxy } from '../../infra/local/azurite/write-once-proxy.ts';
import { startChildProgram } from '../../infra/local/launch/child-program.ts';
import { BLOB_ACCOUNT, BLOB_KEY, blobConnectionString } from '../../infra/local/launch/connection-strings.ts';
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

export interface Azurite {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts Azurite as a child on a free port.
 *
 * @param accounts those that it has; without any the well-known one.
 */
export async function startAzurite(accounts: readonly string[] = []): Promise<Azurite> {
  const location = await mkdtemp(path.join(tmpdir(), 'skerry-blob-'));
  const azurite = startChildProgram({
    name: 'Blob service (Azurite)',
    modulePath: AZURITE,
    commandLine: ['--port', '0', '--location', location],
    environment: {
      ...process.env,
      ...(accounts.length > 0 && {
        AZURITE_ACCOUNTS: accounts.map((account) => `${account}:${BLOB_KEY}`).join(';'),
      }),
    },
    stopMilliseconds: 5_000,
  });
  return {
    port: Number(new URL(await azurite.ready).port),
    async stop() {
      await azurite.stop();
      await rm(location, { recursive: true, force: true });
    },
  };
}

/** An account of an Azurite that runs, with Skerry's containers in it. */
export async function openBlob(port: number, account = BLOB_ACCOUNT): Promise<BlobFixture> {
  const connectionAt = (somePort: number) => blobConnectionString(somePort).replaceAll(BLOB_ACCOUNT, account);
  const connectionString = connectionAt(port);
  await provisionBlob(connectionString);
  const stops: (() => Promise<void>)[] = [];
  return {
    connectionString,
    service: BlobServiceClient.fromConnectionString(connectionString),
    async writeOnce(policy) {
      const proxy = await startWriteOnceProxy({
        port: 0,
        azurite: connectionString,
        container: 'bundles',
        ...policy,
      });
      stops.push(() => proxy.stop());
      return connectionAt(proxy.port);
    },
    async stop() {
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}

/** Starts Azurite, with Skerry's containers in it. */
export async function startBlob(): Promise<BlobFixture> {
  const azurite = await startAzurite();
  const blob = await openBlob(azurite.port);
  return {
    ...blob,
    async stop() {
      await blob.stop();
      await azurite.stop();
    },
  };
}
