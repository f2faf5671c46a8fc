import type { BlobServiceClient } from '@azure/storage-blob';
import {
  type BundleValue,
  bundleKey,
  bundleScope,
  type ChannelValue,
  channelKey,
  consumerKey,
  type RetentionRule,
  VersionUses,
  type VersionValue,
  versionKey,
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
  Leases,
  Records,
  type Scope,
  type WriteSet,
} from '../../../shared/records/index.ts';
import { type BlobFixture, startBlob } from '../blob-fixture.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';

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

/** Bundles as others leave them to cleanup: records and blobs, made without the code that makes them. */
export interface BundleWorld {
  readonly clock: StandingClock;
  readonly blob: BlobFixture;
  readonly records: Records;
  readonly uses: VersionUses;
  openRecords(): WatchedRecords;
  cleanup(options?: {
    readonly rule?: RetentionRule;
    readonly records?: Records;
    readonly service?: BlobServiceClient;
  }): BundleCleanup;
  /** Publishes the next version, over a blob of its own unless one is given. */
  publish(name: string, blob?: string): Promise<VersionValue>;
  upload(name: string, blob: string): Promise<void>;
  newBlob(): string;
  putChannel(name: string, channel: string, value: ChannelValue): Promise<void>;
  putConsumer(name: string, consumer: string, version: number): Promise<void>;
  /** Numbers of the versions that readers find, and of those that were taken away. */
  versions(name: string): Promise<{ readonly found: number[]; readonly removed: number[] }>;
  /** Names of the blobs below a path. */
  blobs(container: 'bundles' | 'drafts', prefix: string): Promise<string[]>;
  /** Deletes all blobs, so that cleanup finds no bundle. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

const AUTHOR = { actor: 'test' };

export async function startBundleWorld(): Promise<BundleWorld> {
  const [cosmos, blob]: [CosmosFixture, BlobFixture] = await Promise.all([startCosmos(), startBlob()]);
  const clock = new StandingClock();
  const openRecords = () =>
    new WatchedRecords({
      container: cosmos.connect().container(COSMOS_CONTAINERS.records.id),
      clock,
      random: systemRandom,
    });
  const records = openRecords();
  const leases = new Leases({
    container: cosmos.connect().container(COSMOS_CONTAINERS.leases.id),
    clock,
  });
  const uses = new VersionUses({ leases, clock });
  const newBlob = () => createUlid(clock.now(), systemRandom);

  const upload = async (name: string, blobName: string) => {
    const container = blob.service.getContainerClient('bundles');
    await Promise.all(
      ['zip', 'json'].map((form) =>
        container.getBlockBlobClient(`${NS}/${name}/${blobName}.${form}`).upload('x', 1),
      ),
    );
  };

  return {
    clock,
    blob,
    records,
    uses,
    openRecords,
    upload,
    newBlob,
    cleanup: (options = {}) =>
      new BundleCleanup({
        records: options.records ?? records,
        uses,
        blob: () => Promise.resolve(options.service ?? blob.service),
        clock,
        rule: options.rule ?? { versions: 1, days: 1 },
      }),
    async publish(name, sharedBlob) {
      const blobName = sharedBlob ?? newBlob();
      if (sharedBlob === undefined) await upload(name, blobName);
      const scope = bundleScope(NS, name);
      const head = await records.get<BundleValue>(scope, bundleKey(name));
      const latest = (head?.value.latest ?? 0) + 1;
      const value = versionValue(latest, blobName);
      await records.transact<BundleValue | VersionValue>(scope, {
        keys: [bundleKey(name), versionKey(name, latest)],
        ...AUTHOR,
        decide: () => ({
          writes: [
            { key: versionKey(name, latest), decision: { type: 'put', value } },
            { key: bundleKey(name), decision: { type: 'put', value: { ...head?.value, latest } } },
          ],
        }),
      });
      return value;
    },
    async putChannel(name, channel, value) {
      const decide = () => ({ type: 'put', value }) as const;
      await records.commit(bundleScope(NS, name), { key: channelKey(name, channel), ...AUTHOR, decide });
    },
    async putConsumer(name, consumer, version) {
      const decide = () => ({ type: 'put', value: { version } }) as const;
      await records.commit(bundleScope(NS, name), { key: consumerKey(name, consumer), ...AUTHOR, decide });
    },
    async versions(name) {
      const { records: all } = await records.list<VersionValue>(bundleScope(NS, name), {
        prefix: versionsPrefix(name),
      });
      const values = all.map(({ value }) => value);
      return {
        found: values.filter(({ removedAt }) => removedAt === undefined).map(({ version }) => version),
        removed: values.filter(({ removedAt }) => removedAt !== undefined).map(({ version }) => version),
      };
    },
    async blobs(container, prefix) {
      const names: string[] = [];
      for await (const item of blob.service.getContainerClient(container).listBlobsFlat({ prefix })) {
        names.push(item.name.slice(prefix.length));
      }
      return names;
    },
    async clear() {
      for (const container of BLOB_CONTAINERS.map((each) => blob.service.getContainerClient(each))) {
        const deleted: Promise<unknown>[] = [];
        for await (const item of container.listBlobsFlat()) deleted.push(container.deleteBlob(item.name));
        await Promise.all(deleted);
      }
    },
    async stop() {
      await Promise.all([cosmos.stop(), blob.stop()]);
    },
  };
}

function versionValue(version: number, blob: string): VersionValue {
  return {
    version,
    digest: `sha256:${blob}`,
    blob,
    files: 1,
    size: 1,
    archiveSize: 1,
    author: 'test',
    message: '',
    labels: [],
  };
}
