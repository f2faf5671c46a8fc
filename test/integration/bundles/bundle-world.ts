import type { BlobServiceClient } from '@azure/storage-blob';
import {
  bundleScope,
  type ChannelValue,
  channelKey,
  consumerKey,
  type RetentionRule,
  RolloutAlarms,
  type VersionValue,
  versionsPrefix,
} from '../../../shared/bundles/index.ts';
import { BundleCleanup } from '../../../shared/bundles/retention/bundle-cleanup.ts';
import type { Clock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { BLOB_CONTAINERS, COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { createUlid } from '../../../shared/platform/ulid.ts';
import {
  type CommitSet,
  type Decisions,
  Records,
  type Scope,
  type WriteSet,
} from '../../../shared/records/index.ts';
import { type BundleProcess, type BundlesFixture, filesOf, startBundles } from './bundles-fixture.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const NS = 'default';

/** A clock that stands still until a test moves it. */
export class StandingClock implements Clock {
  #now = Date.parse('2030-01-01T00:00:00Z');

  now(): number {
    return this.#now;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
  }

  async sleep(): Promise<void> {
    await new Promise(setImmediate);
  }
}

/** Records that let a test happen before and after the writes of a process, which the process does not survive when that throws. */
export class WatchedRecords extends Records {
  step: () => void = () => {};
  beforeTransaction: () => Promise<void> = async () => {};

  override async transact<Value, Decided extends Decisions<Value> = Decisions<Value>>(
    scope: Scope,
    writes: WriteSet<Value, Decided>,
  ): Promise<CommitSet<Value, Decided>> {
    this.step();
    await this.beforeTransaction();
    const outcome = await super.transact(scope, writes);
    this.step();
    return outcome;
  }
}

/** Bundles as others leave them to cleanup. */
export interface BundleWorld extends BundleProcess {
  readonly clock: StandingClock;
  readonly blob: BundlesFixture['blob'];
  /** What another process has, over the same clock. */
  openProcess(): BundleProcess;
  openRecords(): WatchedRecords;
  cleanup(options?: {
    readonly rule?: RetentionRule;
    readonly records?: Records;
    readonly service?: BlobServiceClient;
  }): BundleCleanup;
  /** Publishes the next version. */
  publish(name: string): Promise<VersionValue>;
  /** Uploads an archive that no version names. */
  upload(name: string, blob: string): Promise<void>;
  newBlob(): string;
  putChannel(name: string, channel: string, value: ChannelValue): Promise<void>;
  putConsumer(name: string, consumer: string, version: number): Promise<void>;
  /** Numbers of the versions that readers find, and of those that were taken away. */
  stored(name: string): Promise<{ readonly found: number[]; readonly removed: number[] }>;
  /** Names of the blobs below a path. */
  blobs(container: 'bundles' | 'drafts', prefix: string): Promise<string[]>;
  /** Deletes all blobs, so that cleanup finds no bundle. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

const AUTHOR = { actor: 'test' };

export async function startBundleWorld(): Promise<BundleWorld> {
  const fixture = await startBundles();
  const clock = new StandingClock();
  const process = fixture.open({ clock });
  const { records, uses, versions } = process;
  const { service } = fixture.blob;
  let published = 0;
  const put = async (name: string, key: string, value: object) => {
    await records.commit(bundleScope(NS, name), { key, ...AUTHOR, decide: () => ({ type: 'put', value }) });
  };
  return {
    ...process,
    clock,
    blob: fixture.blob,
    openProcess: () => fixture.open({ clock }),
    openRecords: () =>
      new WatchedRecords({
        container: fixture.cosmos.connect().container(COSMOS_CONTAINERS.records.id),
        clock,
        random: systemRandom,
      }),
    cleanup: (options = {}) =>
      new BundleCleanup({
        records: options.records ?? records,
        uses,
        alarms: new RolloutAlarms({ records, leases: process.leases, clock }),
        blob: () => Promise.resolve(options.service ?? service),
        clock,
        rule: options.rule ?? { versions: 1, days: 1 },
      }),
    async publish(name) {
      published += 1;
      const files = filesOf({ 'number.txt': String(published) });
      const options = { author: AUTHOR, message: '', labels: [] };
      return (await versions.publish(NS, name, files, options)).version;
    },
    async upload(name, blob) {
      const container = service.getContainerClient('bundles');
      const names = ['zip', 'json'].map((form) => `${NS}/${name}/${blob}.${form}`);
      await Promise.all(names.map((each) => container.getBlockBlobClient(each).upload('x', 1)));
    },
    newBlob: () => createUlid(clock.now(), systemRandom),
    putChannel: (name, channel, value) => put(name, channelKey(name, channel), value),
    putConsumer: (name, consumer, version) => put(name, consumerKey(name, consumer), { version }),
    async stored(name) {
      const prefix = versionsPrefix(name);
      const { records: all } = await records.list<VersionValue>(bundleScope(NS, name), { prefix });
      const numbers = (isRemoved: boolean) =>
        all
          .filter(({ value }) => (value.removedAt !== undefined) === isRemoved)
          .map(({ value }) => value.version);
      return { found: numbers(false), removed: numbers(true) };
    },
    async blobs(container, prefix) {
      const names: string[] = [];
      for await (const item of service.getContainerClient(container).listBlobsFlat({ prefix })) {
        names.push(item.name.slice(prefix.length));
      }
      return names;
    },
    async clear() {
      for (const container of BLOB_CONTAINERS.map((each) => service.getContainerClient(each))) {
        const deleted: Promise<unknown>[] = [];
        for await (const item of container.listBlobsFlat()) deleted.push(container.deleteBlob(item.name));
        await Promise.all(deleted);
      }
    },
    stop: () => fixture.stop(),
  };
}
