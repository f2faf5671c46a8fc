import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { benchCosts } from './bench-costs.ts';
import { benchGrowth } from './bench-growth.ts';
import { benchRequests } from './bench-requests.ts';
import { benchWatches } from './bench-watches.ts';
import { etcdVersion, startEtcd } from './etcd.ts';
import type { KeyValueServer } from './key-value-server.ts';
import { startSkerryStore } from './skerry-store.ts';

/** Where Skerry keeps its data: a folder for temporary files may lie in memory, where syncing costs nothing. */
const DATA = path.resolve(import.meta.dirname, '../../../.skerry');

/** The servers that are compared; without etcd, Skerry stands alone. */
export interface Contenders {
  readonly skerry: KeyValueServer;
  readonly etcd: KeyValueServer | undefined;
  /** An etcd that, as the emulator of Cosmos DB, does not wait for the disk. */
  readonly unsyncedEtcd: KeyValueServer | undefined;
}

/** What the key-value store costs beside etcd, asked for the same in the same moments. */
export async function benchKv(quick: boolean): Promise<void> {
  const version = await etcdVersion();
  console.log(
    version === undefined
      ? '\netcd is not installed, so Skerry stands alone here: apt-get install -y etcd-server'
      : `\netcd ${version} through its HTTP/JSON gateway, data of both in ${DATA}`,
  );
  await benchCosts();
  await mkdir(DATA, { recursive: true });
  const folder = await mkdtemp(path.join(DATA, 'bench-'));
  try {
    await withContenders(path.join(folder, 'requests'), version !== undefined, async (contenders) => {
      await benchRequests(contenders, quick);
      await benchWatches(contenders, quick);
    });
    await withContenders(path.join(folder, 'growth'), version !== undefined, (contenders) =>
      benchGrowth(contenders, quick),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  console.log(
    '\nRatios are Skerry ÷ etcd where more is better, and etcd ÷ Skerry where less is: above 1 Skerry is the faster. etcd syncs each write\n' +
      'to the disk before it answers; the emulator of Cosmos DB leaves that to the operating system, as "etcd, unsynced" does.',
  );
}

async function withContenders(
  folder: string,
  hasEtcd: boolean,
  use: (contenders: Contenders) => Promise<void>,
): Promise<void> {
  await mkdir(folder);
  const started: KeyValueServer[] = [];
  const start = async (starting: Promise<KeyValueServer>) => {
    const server = await starting;
    started.push(server);
    return server;
  };
  const startEtcdIn = (name: string, synced: boolean) =>
    hasEtcd ? start(startEtcd({ dataFolder: path.join(folder, name), synced })) : undefined;
  try {
    await use({
      skerry: await start(startSkerryStore(path.join(folder, 'skerry'))),
      etcd: await startEtcdIn('etcd', true),
      unsyncedEtcd: await startEtcdIn('unsynced', false),
    });
  } finally {
    await Promise.all(started.map((server) => server.stop()));
  }
}
