import type { BundleInput } from '../../../shared/bundles/content/bundle-input.ts';
import { ArchiveStore, BundleDirectory, Versions, VersionUses } from '../../../shared/bundles/index.ts';
import { connectBlob } from '../../../shared/platform/blob.ts';
import { type Clock, systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { Leases, Records } from '../../../shared/records/index.ts';
import type { BlobFixture } from '../blob-fixture.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { shareBlob } from '../shared-blob.ts';

/** What a process has of bundles, over connections of its own. */
export interface BundleProcess {
  readonly records: Records;
  readonly archives: ArchiveStore;
  readonly leases: Leases;
  readonly uses: VersionUses;
  readonly bundles: BundleDirectory;
  readonly versions: Versions;
}

export interface BundlesFixture {
  readonly cosmos: CosmosFixture;
  readonly blob: BlobFixture;
  open(options?: { readonly clock?: Clock; readonly blobConnection?: string }): BundleProcess;
  /** Names of the blobs below a name, in order. */
  blobsOf(ns: string, name: string): Promise<string[]>;
  stop(): Promise<void>;
}

/** Starts Cosmos DB, and takes an account of Azurite. */
export async function startBundles(): Promise<BundlesFixture> {
  const [cosmos, blob] = await Promise.all([startCosmos({ faults: true }), shareBlob()]);
  return {
    cosmos,
    blob,
    open({ clock = systemClock, blobConnection = blob.connectionString } = {}) {
      const database = cosmos.connect();
      const container = database.container(COSMOS_CONTAINERS.records.id);
      const records = new Records({ container, clock, random: systemRandom });
      const service = connectBlob(blobConnection);
      const archives = new ArchiveStore({ blob: () => service, clock, random: systemRandom });
      const leases = new Leases({ container: database.container(COSMOS_CONTAINERS.leases.id), clock });
      const uses = new VersionUses({ leases, clock });
      return {
        records,
        archives,
        leases,
        uses,
        bundles: new BundleDirectory(records),
        versions: new Versions({ records, archives, uses, clock }),
      };
    },
    async blobsOf(ns, name) {
      const names: string[] = [];
      const listing = blob.service.getContainerClient('bundles').listBlobsFlat({ prefix: `${ns}/${name}/` });
      for await (const item of listing) names.push(item.name);
      return names.sort();
    },
    async stop() {
      await Promise.all([cosmos.stop(), blob.stop()]);
    },
  };
}

/** Files as text, ready to be published. */
export function filesOf(files: Readonly<Record<string, string | Uint8Array>>): BundleInput[] {
  return Object.entries(files).map(([path, content]) => {
    const bytes = Buffer.from(content);
    return { kind: 'raw', path, size: bytes.length, read: () => Promise.resolve(bytes) };
  });
}
