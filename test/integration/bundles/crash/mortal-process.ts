import type { Database } from '@azure/cosmos';
import {
  BlobServiceClient,
  newPipeline,
  type RequestPolicy,
  type RequestPolicyFactory,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import {
  ArchiveStore,
  BundleCleanup,
  BundleSweeper,
  Channels,
  Consumers,
  DraftStore,
  Drafts,
  Gatekeeper,
  type RetentionRule,
  RolloutAlarms,
  Versions,
  VersionUses,
} from '../../../../shared/bundles/index.ts';
import type { Clock } from '../../../../shared/platform/clock.ts';
import { systemRandom } from '../../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../../shared/platform/topology.ts';
import { Leases, Records, Sweep } from '../../../../shared/records/index.ts';
import type { Gate } from '../../interleaving.ts';
import { gatedContainers } from '../../sessions/gated-container.ts';

export interface ProcessOptions {
  readonly database: Database;
  readonly blobConnection: string;
  readonly clock: Clock;
  readonly rule: RetentionRule;
  /** Through which everything goes that others see. */
  readonly gate: Gate;
}

/** Bundles as one process of the app has them in its memory. */
export class MortalProcess {
  readonly records: Records;
  readonly versions: Versions;
  readonly drafts: Drafts;
  readonly channels: Channels;
  readonly consumers: Consumers;
  readonly cleanup: BundleCleanup;
  readonly sweep: Sweep;

  constructor({ database, blobConnection, clock, rule, gate }: ProcessOptions) {
    const random = systemRandom;
    const containerOf = gatedContainers(database, gate);
    const records = new Records({ container: containerOf(COSMOS_CONTAINERS.records.id), clock, random });
    const leases = new Leases({ container: containerOf(COSMOS_CONTAINERS.leases.id), clock });
    const service = gatedService(blobConnection, gate);
    const blob = () => Promise.resolve(service);
    const uses = new VersionUses({ leases, clock });
    const alarms = new RolloutAlarms({ records, leases, clock });
    const archives = new ArchiveStore({ blob, clock, random });
    const versions = new Versions({ records, archives, uses, clock });
    const gatekeeper = new Gatekeeper({
      versions,
      post: () => Promise.reject(new Error('Nobody is asked here.')),
      endpointPolicy: { allowPrivate: false, ports: [443] },
    });
    this.records = records;
    this.versions = versions;
    this.drafts = new Drafts({ store: new DraftStore(blob), versions, clock, random });
    this.channels = new Channels({ records, clock, alarms, gatekeeper, versions });
    this.consumers = new Consumers({ records, versions });
    this.cleanup = new BundleCleanup({ records, uses, alarms, blob, clock, rule });
    this.sweep = new Sweep({ records, leases, clock, sweepers: [new BundleSweeper({ alarms, uses })] });
  }
}

/** Blob Storage of which every request goes through the gate, those too by which the SDK tries again. */
function gatedService(connection: string, gate: Gate): BlobServiceClient {
  const part = (name: string) => new RegExp(`${name}=([^;]+)`).exec(connection)?.[1] ?? '';
  const credential = new StorageSharedKeyCredential(part('AccountName'), part('AccountKey'));
  const pipeline = newPipeline(credential, {
    retryOptions: { maxTries: 2, tryTimeoutInMs: 30_000, retryDelayInMs: 1, maxRetryDelayInMs: 1 },
  });
  pipeline.factories.push(new InjectorPolicyFactory(gate));
  return new BlobServiceClient(part('BlobEndpoint'), pipeline);
}

/** The SDK asks policies of that name for each try, and all others once for all tries of a request. */
class InjectorPolicyFactory implements RequestPolicyFactory {
  readonly #gate: Gate;

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  create(next: RequestPolicy): RequestPolicy {
    return {
      sendRequest: (request) =>
        this.#gate(`blob ${request.method}`, async () => await next.sendRequest(request)),
    };
  }
}
