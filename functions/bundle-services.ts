import type { BlobServiceClient } from '@azure/storage-blob';
import {
  ArchiveStore,
  BundleCleanup,
  BundleDirectory,
  BundleSweeper,
  Channels,
  Consumers,
  DraftStore,
  Drafts,
  Gatekeeper,
  RolloutAlarms,
  Versions,
  VersionUses,
} from '../shared/bundles/index.ts';
import type { Clock } from '../shared/platform/clock.ts';
import type { Random } from '../shared/platform/random.ts';
import type { Settings } from '../shared/platform/settings.ts';
import type { Leases, Records } from '../shared/records/index.ts';
import type { EndpointPolicy, WebhookClient } from '../shared/webhooks/index.ts';
import type { Makers } from './lazily.ts';

/** What handlers and triggers work with, of bundles. */
export interface BundleServices {
  readonly bundles: BundleDirectory;
  readonly versions: Versions;
  readonly channels: Channels;
  readonly consumers: Consumers;
  readonly drafts: Drafts;
  readonly bundleCleanup: BundleCleanup;
}

/** With what only other services work with. */
export interface BundleParts extends BundleServices {
  readonly archives: ArchiveStore;
  readonly versionUses: VersionUses;
  readonly rolloutAlarms: RolloutAlarms;
  readonly bundleSweeper: BundleSweeper;
}

/** What they are made of. */
interface Foundation {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly blob: Promise<BlobServiceClient>;
  readonly records: Records;
  readonly leases: Leases;
  readonly webhookClient: WebhookClient;
}

/** How the services of bundles are made; storage is connected to when one asks it something. */
export function bundleServices(
  endpointPolicy: EndpointPolicy,
): Makers<BundleParts, BundleParts & Foundation> {
  return {
    archives: (app) => new ArchiveStore({ blob: () => app.blob, clock: app.clock, random: app.random }),
    bundles: ({ records }) => new BundleDirectory(records),
    versionUses: ({ leases, clock }) => new VersionUses({ leases, clock }),
    versions: ({ records, archives, versionUses, clock }) =>
      new Versions({ records, archives, uses: versionUses, clock }),
    rolloutAlarms: ({ records, leases, clock }) => new RolloutAlarms({ records, leases, clock }),
    channels: ({ records, clock, rolloutAlarms, versions, webhookClient }) =>
      new Channels({
        records,
        clock,
        alarms: rolloutAlarms,
        gatekeeper: new Gatekeeper({ versions, post: webhookClient.post, endpointPolicy }),
        versions,
      }),
    consumers: ({ records, versions }) => new Consumers({ records, versions }),
    drafts: (app) =>
      new Drafts({
        store: new DraftStore(() => app.blob),
        versions: app.versions,
        clock: app.clock,
        random: app.random,
      }),
    bundleSweeper: ({ rolloutAlarms, versionUses }) =>
      new BundleSweeper({ alarms: rolloutAlarms, uses: versionUses }),
    bundleCleanup: (app) =>
      new BundleCleanup({
        records: app.records,
        uses: app.versionUses,
        alarms: app.rolloutAlarms,
        blob: () => app.blob,
        clock: app.clock,
        rule: {
          versions: app.settings.SKERRY_BUNDLE_RETENTION_VERSIONS,
          days: app.settings.SKERRY_BUNDLE_RETENTION_DAYS,
        },
      }),
  };
}
