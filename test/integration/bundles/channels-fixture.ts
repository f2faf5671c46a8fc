import type { Container } from '@azure/cosmos';
import { bundleScope, type VersionValue, versionKey } from '../../../shared/bundles/bundle.ts';
import { BundleSweeper } from '../../../shared/bundles/bundle-sweeper.ts';
import type { ChannelValue } from '../../../shared/bundles/channels/channel.ts';
import { Channels } from '../../../shared/bundles/channels/channels.ts';
import { Consumers } from '../../../shared/bundles/channels/consumers.ts';
import { type CandidateVersions, Gatekeeper } from '../../../shared/bundles/channels/gatekeeper.ts';
import { RolloutAlarms } from '../../../shared/bundles/channels/rollout-alarms.ts';
import { toVersion, unknownVersion } from '../../../shared/bundles/versions/version.ts';
import { VersionUses } from '../../../shared/bundles/versions/version-uses.ts';
import type { Clock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Change, Leases, Records, Sweep, type SweepSummary } from '../../../shared/records/index.ts';
import type { PostWebhook, WebhookResult } from '../../../shared/webhooks/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import type { Gate } from '../interleaving.ts';
import { TestClock } from '../registry/registry-fixture.ts';
import { gatedContainer } from '../sessions/gated-container.ts';

export const NS = 'default';
export const AUTHOR = { actor: 'test' };
export const PUT = { author: AUTHOR, ownUrl: 'https://skerry.test' };

/** What one process of the app holds of channels. */
export interface Process {
  readonly records: Records;
  readonly leases: Leases;
  readonly channels: Channels;
  readonly consumers: Consumers;
  sweep(): Promise<SweepSummary>;
}

export interface ChannelsFixture {
  readonly cosmos: CosmosFixture;
  readonly clock: TestClock;
  /** Contents of files by path, the same in every version. */
  readonly files: Map<string, string | Uint8Array>;
  /** What the webhooks of gates are sent, and what they answer. */
  readonly webhook: { answer: WebhookResult; readonly calls: { endpoint: string; body: unknown }[] };
  /** @param secondsAhead how far its clock is ahead of the others', negative where it is behind. */
  openProcess(gate?: Gate, secondsAhead?: number): Process;
  /** A new bundle with so many versions, whose content is elsewhere. */
  newBundle(versions: number): Promise<string>;
  changesOf(name: string): Promise<Change<ChannelValue>[]>;
  stop(): Promise<void>;
}

export async function startChannels(): Promise<ChannelsFixture> {
  const cosmos = await startCosmos();
  const time = new TestClock();
  const files = new Map<string, string | Uint8Array>();
  const webhook: ChannelsFixture['webhook'] = { answer: { status: 204, body: '' }, calls: [] };
  const post: PostWebhook = async ({ endpoint, body }) => {
    webhook.calls.push({ endpoint, body: JSON.parse(body) });
    return webhook.answer;
  };
  const openProcess = (gate: Gate = (_step, run) => run(), secondsAhead = 0): Process => {
    const clock: Clock = {
      now: () => time.now() + 1000 * secondsAhead,
      sleep: () => time.sleep(),
    };
    const database = cosmos.connect();
    const container = (id: string): Container => gatedContainer(database.container(id), gate);
    const leases = new Leases({ container: container(COSMOS_CONTAINERS.leases.id), clock });
    const records = new Records({
      container: container(COSMOS_CONTAINERS.records.id),
      clock,
      random: systemRandom,
    });
    const versions: CandidateVersions = {
      async find(ns, name, reference) {
        const key = versionKey(name, Number(reference));
        const record = await records.get<VersionValue>(bundleScope(ns, name), key);
        if (record === undefined) throw unknownVersion(ns, name, reference);
        return toVersion(record);
      },
      manifest: async () => ({
        files: [...files].map(([path, content]) => ({ path, size: Buffer.byteLength(content), sha256: '' })),
      }),
      readFile: async (_ns, _name, _version, path) => ({ bytes: Buffer.from(files.get(path) ?? '') }),
    };
    const alarms = new RolloutAlarms({ records, leases, clock });
    const uses = new VersionUses({ leases, clock });
    const endpointPolicy = { allowPrivate: false, ports: [443] };
    const gatekeeper = new Gatekeeper({ versions, post, endpointPolicy });
    const sweep = new Sweep({ records, leases, clock, sweepers: [new BundleSweeper({ alarms, uses })] });
    return {
      records,
      leases,
      channels: new Channels({ records, clock, alarms, gatekeeper, versions }),
      consumers: new Consumers({ records, versions }),
      sweep: () => sweep.run(),
    };
  };
  const { records } = openProcess();
  let bundles = 0;
  return {
    cosmos,
    clock: time,
    files,
    webhook,
    openProcess,
    async newBundle(versions) {
      bundles += 1;
      const name = `bundle${bundles}`;
      for (let version = 1; version <= versions; version += 1) await putVersion(records, name, version);
      return name;
    },
    changesOf: async (name) => [
      ...(await records.changes<ChannelValue>(bundleScope(NS, name), { above: 0 })),
    ],
    stop: () => cosmos.stop(),
  };
}

export async function putVersion(
  records: Records,
  name: string,
  version: number,
  facts: Partial<VersionValue> = {},
): Promise<void> {
  const value: VersionValue = {
    version,
    digest: `sha256:${version}`,
    blob: `b${version}`,
    files: 2,
    size: 10,
    archiveSize: 10,
    author: 'test',
    message: '',
    labels: [],
    ...facts,
  };
  await records.commit<VersionValue>(bundleScope(NS, name), {
    key: versionKey(name, version),
    ...AUTHOR,
    decide: () => ({ type: 'put', value }),
  });
}
