/**
 * Azurite's blob service as a child of `npm start`: `main.ts --port N --location DIR [--write-once] [--cert FILE --key FILE]`. It sends
 * `{type: 'ready', url}` over IPC, and ends on SIGTERM or when its parent is gone. Azurite writes its metadata down only every
 * five seconds and when it is closed, so ending it gently is what keeps acknowledged blobs when the launcher is killed.
 *
 * Azurite's own command line is not used: it keeps running after its parent died, and it loads its SQL store and telemetry
 * client. The settings are those of `--silent --skipApiVersionCheck --disableTelemetry`: the newest SDKs
 * send an API version that no Azurite knows yet.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import blobConfigurationModule from 'azurite/dist/src/blob/BlobConfiguration.js';
import blobServerModule from 'azurite/dist/src/blob/BlobServer.js';
import type { BLOB_CONTAINERS } from '../../../shared/platform/topology.ts';
import { blobConnectionString } from '../launch/connection-strings.ts';
import type { WriteOnceProxy } from './write-once-proxy.ts';

const BlobServer = blobServerModule.default;
const BlobConfiguration = blobConfigurationModule.default;

const KEEP_ALIVE_SECONDS = 5;
const CONCURRENT_WRITES = 50;

/** The shortest that Azure has. */
const RETENTION_MILLISECONDS = 24 * 3_600_000;

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    location: { type: 'string' },
    'write-once': { type: 'boolean', default: false },
    cert: { type: 'string' },
    key: { type: 'string' },
  },
});
if (values.port === undefined || values.location === undefined) {
  throw new Error('Both --port and --location are needed.');
}
const { location } = values;
const port = Number(values.port);
await mkdir(location, { recursive: true });

const server = new BlobServer(
  new BlobConfiguration(
    '127.0.0.1',
    values['write-once'] ? 0 : port,
    KEEP_ALIVE_SECONDS,
    path.join(location, 'blobs.json'),
    path.join(location, 'extents.json'),
    [
      {
        locationPath: path.join(location, 'extents'),
        locationId: 'Default',
        maxConcurrency: CONCURRENT_WRITES,
      },
    ],
    false,
    undefined,
    false,
    undefined,
    false,
    true,
    // Tokens of identities are taken over https alone, and looked at, but not verified.
    ...(values.cert === undefined ? [] : ([values.cert, values.key, '', 'basic'] as const)),
  ),
);

let proxy: WriteOnceProxy | undefined;
let started = false;
let stopping = false;

async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await proxy?.stop();
  if (started) {
    await server.close();
  }
  process.exit(0);
}

process.on('SIGTERM', () => void stop());
process.on('disconnect', () => void stop());
process.on('SIGINT', () => {
  // Ctrl-C is the launcher's to handle: it ends this process once the functions host has drained.
});

await server.start();
started = true;
let url = server.getHttpServerAddress();
if (values['write-once']) {
  const { startWriteOnceProxy } = await import('./write-once-proxy.ts');
  proxy = await startWriteOnceProxy({
    port,
    azurite: blobConnectionString(Number(new URL(url).port)),
    container: 'bundles' satisfies (typeof BLOB_CONTAINERS)[number],
    retentionMilliseconds: RETENTION_MILLISECONDS,
  });
  url = `http://127.0.0.1:${proxy.port}`;
}
process.send?.({ type: 'ready', url });
